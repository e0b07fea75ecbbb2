# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a frame's bytes are in a DICOM file, and whether they can be what the header says.

pydicom decodes a codestream before it compares sizes, so a few patched bytes cost gigabytes; it stops silently at a
fragment that is not there; and it walks all fragments again for every frame. Here the walk is made once, and it reads
lengths only.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless

from monai_anomaly.data.decoded import boundary
from monai_anomaly.data.dicom_elements import element
from monai_anomaly.data.dicom_header import DicomHeader
from monai_anomaly.data.errors import ImageReadError

__all__ = ["PixelData", "codestream_shape"]

UNDEFINED = 0xFFFFFFFF
ITEM, DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
PIXEL_DATA = (0x7FE0, 0x0010)
TYPES = (b"OB", b"OW", b"UN")
RLE_HEADER = 64
ITEM_HEAD = b"\xfe\xff\x00\xe0"
ADOBE = 0xEE
JPEG2000_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
NOT_START_OF_FRAME = (0xC4, 0xC8, 0xCC)  # among the markers FFC0 to FFCF: tables and an extension


class PixelData:
    """The pixel data element of an open file: its frames, decoded singly as stored values.

    Args:
        stream: the file, where the pixel data element starts.
        header: the checked header.

    Raises:
        ImageReadError: ``missing_tag``, ``truncated``, ``frame_count`` or ``inconsistent``.

    Attributes:
        warnings: what was tolerated.
    """

    def __init__(self, stream: BinaryIO, header: DicomHeader) -> None:
        self._stream = stream
        self._header = header
        self._decoder = get_decoder(header.syntax)
        self._fragments: list[tuple[int, int]] = []
        self.warnings: tuple[str, ...] = ()
        with boundary("reading the length of the pixel data"):
            self._vr, length = _enter(stream, header)
            self._start = stream.tell()
            size = os.fstat(stream.fileno()).st_size
        if header.syntax.is_implicit_VR == bool(self._vr):
            self.warnings += (f"{element('TransferSyntaxUID')} is wrong about types of elements; they were found out",)
        if not header.decoder:
            self.warnings += _check_native(length, size - self._start, header)
            return
        if length != UNDEFINED:
            raise ImageReadError(
                "inconsistent", f"{element('PixelData')} is compressed but has a fixed length; export the image again."
            )
        with boundary("reading the fragments of the pixel data"):
            self._fragments = _walk(stream, size)
            self._check_count()

    def decode(self, index: int) -> tuple[np.ndarray, str]:
        """Returns a frame's stored values, ``(H, W)`` or ``(H, W, 3)``, and the photometric interpretation they have.

        It is the header's, unless the codestream says or does otherwise: decoders of JPEG 2000 turn colors to RGB.

        Args:
            index: from 0.

        Raises:
            ImageReadError: ``inconsistent``, ``truncated`` or ``decode_failed``.
        """
        header = self._header
        code = b""
        with boundary("decoding the pixels"):
            if header.decoder:
                code = self._read(index)
                _check_code(code, header)
                # a file of one frame, made of one fragment, for pydicom: nothing left for it to search
                source: Any = ITEM_HEAD + bytes(4) + ITEM_HEAD + struct.pack("<I", len(code)) + code
                options = self._options(1)
                index = 0
            else:
                self._stream.seek(self._start)
                source, options = self._stream, self._options(header.frames)
            stored, found = self._decoder.as_array(
                source, index=index, raw=True, decoding_plugin=header.decoder, **options
            )
        shape = (header.rows, header.columns) if header.samples == 1 else (header.rows, header.columns, 3)
        if stored.shape != shape:
            raise ImageReadError("inconsistent", f"decoding gave {stored.shape} instead of {shape}; export it again.")
        if header.decoder == "pillow" and _is_transformed(code):
            return stored, "RGB"  # by Pillow, which pydicom does not know: it would convert once more
        return stored, str(found["photometric_interpretation"])

    def _options(self, frames: int) -> dict[str, Any]:
        """The decoder's view of the header."""
        header = self._header
        options = {
            "rows": header.rows,
            "columns": header.columns,
            "samples_per_pixel": header.samples,
            "photometric_interpretation": header.photometric,
            "bits_allocated": header.allocated,
            "bits_stored": header.bits,
            "pixel_representation": int(header.signed),
            "number_of_frames": frames,
            "pixel_keyword": "PixelData",
            "pixel_vr": self._vr or "OW",
        }
        if header.samples == 3:
            options["planar_configuration"] = header.dataset.PlanarConfiguration
        return options

    def _read(self, index: int) -> bytes:
        """Returns a frame's codestream."""
        frames = self._header.frames
        if len(self._fragments) == frames:
            offset, length = self._fragments[index]
            self._stream.seek(offset)
            return self._stream.read(length)
        self._stream.seek(self._start)  # frames of several fragments, found by offset table or end marker
        return get_frame(self._stream, index, number_of_frames=frames)

    def _check_count(self) -> None:
        """Refuses a file that lacks frames; where a frame may have several fragments, the last one must be found."""
        count, frames = len(self._fragments), self._header.frames
        message = (
            f"the file has {count} fragments for the {frames} frames of {element('NumberOfFrames')}; export it again."
        )
        if count < frames:
            raise ImageReadError("frame_count", message)
        if count > frames > 1:
            try:
                self._read(frames - 1)
            except ValueError:
                raise ImageReadError("frame_count", message) from None


def codestream_shape(code: bytes) -> tuple[int, int, int] | None:
    """Returns the rows, columns and components that a codestream declares; None when it is none of those known.

    Pillow knows 8-bit JPEG and JPEG 2000 only; JPEG lossless with 16 bits and JPEG-LS are common in radiographs.

    Args:
        code: a frame's bytes: JPEG, JPEG-LS or JPEG 2000.
    """
    start = _find_jpeg2000(code)
    if start is not None:
        if len(code) < start + 42 or code[start : start + 4] != JPEG2000_START:
            return None
        x1, y1, x0, y0 = struct.unpack_from(">4I", code, start + 8)
        (components,) = struct.unpack_from(">H", code, start + 40)
        return y1 - y0, x1 - x0, components
    for marker, at in _markers(code):
        if (0xC0 <= marker <= 0xCF and marker not in NOT_START_OF_FRAME) or marker == 0xF7:  # F7: JPEG-LS
            rows, columns, components = struct.unpack_from(">HHB", code, at + 3)
            return rows, columns, components
    return None


def _find_jpeg2000(code: bytes) -> int | None:
    """Returns where a JPEG 2000 codestream starts, behind the boxes of a JP2 file; None for other codestreams.

    The boxes are walked, because a search could find the start of another stream that hides in one of them.
    """
    if code.startswith(JPEG2000_START):
        return 0
    at = 0
    while code.startswith(JP2_SIGNATURE) and at + 16 <= len(code):
        length, kind = struct.unpack_from(">I4s", code, at)
        head = 16 if length == 1 else 8
        if kind == b"jp2c":
            return at + head
        if length == 1:
            (length,) = struct.unpack_from(">Q", code, at + 8)
        if length < head:  # 0: to the end of the file
            return None
        at += length
    return None


def _markers(code: bytes) -> Iterator[tuple[int, int]]:
    """Yields the markers before a JPEG's image, and where the length of each one's segment is."""
    at = 2
    while code[:2] == b"\xff\xd8" and at + 10 <= len(code) and code[at] == 0xFF:
        if code[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        yield code[at + 1], at + 2
        at += 2 + struct.unpack_from(">H", code, at + 2)[0]


def _is_transformed(code: bytes) -> bool:
    """Returns whether Adobe's marker says that a JPEG has Y, Cb, Cr."""
    for marker, at in _markers(code):
        if marker == ADOBE and code[at + 2 : at + 7] == b"Adobe":
            return code[at + 13 : at + 14] == b"\x01"
    return False


def _check_code(code: bytes, header: DicomHeader) -> None:
    """Refuses a codestream that would inflate to something else than the header says."""
    if header.syntax == RLELossless:
        _check_runs(code, header)
        return
    found = codestream_shape(code)
    if found is None:
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} does not start like {header.syntax.name}; export the image again.",
        )
    if found != (header.rows, header.columns, header.samples):
        raise ImageReadError(
            "inconsistent",
            f"the compressed image is {found[0]} x {found[1]} pixels of {found[2]} values where {element('Rows')}, "
            f"{element('Columns')} and {element('SamplesPerPixel')} say {header.rows} x {header.columns} of "
            f"{header.samples}; export the image again.",
        )


def _check_runs(code: bytes, header: DicomHeader) -> None:
    """Refuses run lengths that are damaged or far too many: they declare no size, and their decoder has no limit."""
    planes = header.samples * max(header.allocated // 8, 1)  # one segment for each byte of a pixel
    most = RLE_HEADER + 2 * planes * header.rows * (header.columns + 1)
    if RLE_HEADER <= len(code) <= most:
        count, *starts = struct.unpack_from("<16I", code)
        starts = starts[:planes]
        if count == planes and starts[0] == RLE_HEADER and starts == sorted(starts) and starts[-1] < len(code):
            return
    raise ImageReadError(
        "inconsistent",
        f"the run lengths of {element('PixelData')} do not fit {element('Rows')}, {element('Columns')}, "
        f"{element('SamplesPerPixel')} and {element('BitsAllocated')}; export the image again.",
    )


def _enter(stream: BinaryIO, header: DicomHeader) -> tuple[str, int]:
    """Reads tag, type (empty where there is none) and length of the pixel data; leaves the stream at their value."""
    order = "<" if header.syntax.is_little_endian else ">"
    head = stream.read(8)
    if len(head) < 8:
        raise ImageReadError("missing_tag", f"{element('PixelData')} is missing or cut off; export the image again.")
    if struct.unpack(order + "HH", head[:4]) != PIXEL_DATA:
        raise ImageReadError(
            "unsupported", f"the file has floating point pixels in place of {element('PixelData')}; export integers."
        )
    if head[4:6] in TYPES:  # whatever the transfer syntax says: no length of whole words looks like one
        return head[4:6].decode("ascii"), int(struct.unpack(order + "I", stream.read(4))[0])
    return "", int(struct.unpack(order + "I", head[4:])[0])


def _check_native(length: int, size: int, header: DicomHeader) -> tuple[str, ...]:
    """Compares the length of uncompressed pixels with the header and with the file."""
    whole = (header.rows * header.columns * header.samples * header.frames * header.allocated + 7) // 8
    subsampled = header.photometric == "YBR_FULL_422"
    if subsampled and header.columns % 2:
        raise ImageReadError(
            "inconsistent",
            f"{element('Columns')} is odd, which YBR_FULL_422 in {element('PhotometricInterpretation')} does not "
            "allow; export the image as RGB.",
        )
    expected = whole * 2 // 3 if subsampled else whole
    if length == UNDEFINED:
        raise ImageReadError(
            "inconsistent", f"{element('PixelData')} is uncompressed but has no length; export the image again."
        )
    if min(length, size) < expected:
        raise ImageReadError(
            "truncated",
            f"{element('PixelData')} holds {min(length, size)} bytes of {expected}; copy the file again.",
        )
    if expected < whole <= length:
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} is longer than YBR_FULL_422 in {element('PhotometricInterpretation')} is; "
            "export the image again.",
        )
    return (f"{element('PixelData')} has trailing bytes",) if length > expected + 1 else ()


def _walk(stream: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Returns position and length of every fragment of encapsulated pixel data, without the offset table."""
    fragments: list[tuple[int, int]] = []
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise _cut_off()
        group, number, length = struct.unpack("<HHI", head)
        if (group, number) == DELIMITER:
            return fragments[1:]
        if (group, number) != ITEM:
            raise ImageReadError(
                "inconsistent", f"the fragments of {element('PixelData')} are damaged; copy the file again."
            )
        fragments.append((stream.tell(), length))
        stream.seek(length, os.SEEK_CUR)
        if stream.tell() > size:
            raise _cut_off()


def _cut_off() -> ImageReadError:
    return ImageReadError("truncated", f"the file ends inside {element('PixelData')}; copy it again.")
