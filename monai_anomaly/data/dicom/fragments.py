# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a frame's bytes are in a DICOM file, and whether they can be what the header says.

pydicom decodes a codestream before it compares sizes, so a few patched bytes cost gigabytes; it stops silently at a
fragment that is not there; it believes an offset table that is wrong; and it walks all fragments again for every frame.
Here the walk is made once, and it reads lengths only. Offset tables are not used: where frames have several fragments,
each begins with the fragment that starts a codestream.
"""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000TransferSyntaxes, RLELossless

from monai_anomaly.data.dicom.codestream import (
    codestream_shape,
    has_color_transform,
    mark_rgb,
    starts_codestream,
    take_jpeg_colors,
)
from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.header import DicomHeader
from monai_anomaly.data.errors import ImageReadError, boundary

__all__ = ["PixelData"]

UNDEFINED = 0xFFFFFFFF
ITEM, DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
PIXEL_DATA = (0x7FE0, 0x0010)
TYPES = (b"OB", b"OW", b"UN")
RLE_HEADER = 64
ITEM_HEAD = b"\xfe\xff\x00\xe0"


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
        self._fragments: list[list[tuple[int, int]]] = []  # of each frame
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
            self._fragments = self._group(_walk(stream, size))

    def decode(self, index: int) -> tuple[np.ndarray, str]:
        """Return a frame's stored values, ``(H, W)`` or ``(H, W, 3)``, and the photometric interpretation they have.

        It is the header's, unless the codestream says or does otherwise, e.g. JPEG 2000, which is decoded to RGB.

        Args:
            index: from 0.

        Raises:
            ImageReadError: ``inconsistent``, ``truncated`` or ``decode_failed``.
        """
        header = self._header
        colors = header.photometric
        with boundary("decoding the pixels"):
            if header.decoder:
                code = self._read_codestream(index)
                _check_code(code, header)
                code, colors = _take_colors(code, header)
                # a file of one frame, made of one fragment, for pydicom: nothing left for it to search
                source: Any = ITEM_HEAD + bytes(4) + ITEM_HEAD + struct.pack("<I", len(code)) + code
                options = self._options(1)
                index = 0
            else:
                self._stream.seek(self._start)
                source, options = self._stream, self._options(header.frames)
            stored, _ = self._decoder.as_array(source, index=index, raw=True, decoding_plugin=header.decoder, **options)
        shape = (header.rows, header.columns) if header.samples == 1 else (header.rows, header.columns, 3)
        if stored.shape != shape:
            raise ImageReadError("inconsistent", f"decoding gave {stored.shape} instead of {shape}; export it again.")
        return stored, colors

    def _options(self, frames: int) -> dict[str, Any]:
        """Return the decoder's view of the header."""
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
            # only uncompressed pixels have one: decoders give colors by pixel, whatever the header says
            options["planar_configuration"] = 0 if header.decoder else header.dataset.PlanarConfiguration
        return options

    def _read_codestream(self, index: int) -> bytes:
        """Return a frame's codestream."""
        parts = []
        for offset, length in self._fragments[index]:
            self._stream.seek(offset)
            parts.append(self._stream.read(length))
        return b"".join(parts)

    def _group(self, fragments: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        """Return the fragments of each frame; refuse a file with fewer or more frames than it declares."""
        frames = self._header.frames
        if len(fragments) == frames:
            return [[fragment] for fragment in fragments]
        groups: list[list[tuple[int, int]]] = []
        for fragment in fragments:
            self._stream.seek(fragment[0])
            if not groups or self._starts_frame(self._stream.read(min(fragment[1], 16))):
                groups.append([])
            groups[-1].append(fragment)
        if len(groups) != frames:
            raise ImageReadError(
                "frame_count",
                f"{element('PixelData')} holds {len(groups)} frames where {element('NumberOfFrames')} says {frames}; "
                "export it again.",
            )
        return groups

    def _starts_frame(self, code: bytes) -> bool:
        if self._header.syntax == RLELossless:
            return code.startswith(struct.pack("<2I", _planes(self._header), RLE_HEADER))
        return starts_codestream(code)


def _check_code(code: bytes, header: DicomHeader) -> None:
    """Refuse a codestream that would inflate to something else than the header says."""
    if header.syntax == RLELossless:
        _check_runs(code, header)
        return
    shape = codestream_shape(code)
    if shape is None:
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} does not start like {header.syntax.name}; export the image again.",
        )
    if shape != (header.rows, header.columns, header.samples):
        raise ImageReadError(
            "inconsistent",
            f"the compressed image is {shape[0]} x {shape[1]} pixels of {shape[2]} values where {element('Rows')}, "
            f"{element('Columns')} and {element('SamplesPerPixel')} say {header.rows} x {header.columns} of "
            f"{header.samples}; export the image again.",
        )


def _take_colors(code: bytes, header: DicomHeader) -> tuple[bytes, str]:
    """Return the codestream to decode, and the photometric interpretation of what it decodes to.

    What a codestream says about its colors was said by whoever transformed them, and counts where the header says RGB:
    many writers leave it as it was before the compression. Other contradictions could mean either.
    """
    declared = "RGB" if header.photometric == "RGB" else "YBR"
    if header.samples == 3 and header.decoder == "pillow":
        code, says = take_jpeg_colors(code)
        if says == {"YBR"} or (not says and declared == "YBR"):
            return code, "YBR_FULL"
        if declared == "RGB" and says <= {"RGB"}:
            return mark_rgb(code), "RGB"
    elif header.samples == 3 and header.syntax in JPEG2000TransferSyntaxes and declared == "YBR":
        if has_color_transform(code) == (header.photometric in ("YBR_ICT", "YBR_RCT")):
            return code, "RGB" if has_color_transform(code) else header.photometric
    elif header.photometric not in ("YBR_ICT", "YBR_RCT"):
        return code, header.photometric
    raise ImageReadError(
        "inconsistent",
        f"the compressed image and {element('PhotometricInterpretation')} contradict each other about colors; export "
        "the image again.",
    )


def _check_runs(code: bytes, header: DicomHeader) -> None:
    """Refuse run lengths that are damaged or far too many: they declare no size, and their decoder has no limit."""
    planes = _planes(header)
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


def _planes(header: DicomHeader) -> int:
    """Return the segments of run lengths: one for each byte of a pixel."""
    return header.samples * max(header.allocated // 8, 1)


def _enter(stream: BinaryIO, header: DicomHeader) -> tuple[str, int]:
    """Read tag, type (empty where there is none) and length of the pixel data; leaves the stream at their value."""
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
    """Compare the length of uncompressed pixels with the header and with the file."""
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
    if length * header.frames >= expected * (header.frames + 1) and not expected < whole <= length:
        raise ImageReadError(
            "frame_count",
            f"{element('PixelData')} is longer than {element('NumberOfFrames')} {header.frames} by a frame or more; "
            "export the image again.",
        )
    if expected < whole <= length:
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} is longer than YBR_FULL_422 in {element('PhotometricInterpretation')} is; "
            "export the image again.",
        )
    return (f"{element('PixelData')} has trailing bytes",) if length > expected + 1 else ()


def _walk(stream: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Return position and length of every fragment of encapsulated pixel data, without the offset table."""
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
