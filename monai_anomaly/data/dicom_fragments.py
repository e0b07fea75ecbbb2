# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a frame's bytes are in a DICOM file, and whether they can be what the header says.

pydicom decodes a codestream before it compares sizes, so a few patched bytes cost gigabytes; and it stops silently at a
fragment that is not there. These checks read lengths and one codestream header only.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from pydicom.encaps import get_frame
from pydicom.uid import RLELossless

from monai_anomaly.data.decoded import boundary
from monai_anomaly.data.dicom_header import DicomHeader, element
from monai_anomaly.data.errors import ImageReadError

__all__ = ["check_pixel_data", "codestream_size"]

UNDEFINED = 0xFFFFFFFF
ITEM, DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
PIXEL_DATA = (0x7FE0, 0x0010)
NOT_START_OF_FRAME = (0xC4, 0xC8, 0xCC)  # among the markers FFC0 to FFCF: tables and an extension


def check_pixel_data(stream: BinaryIO, header: DicomHeader, frame: int) -> list[str]:
    """Checks that every frame is there and that the one to be decoded has the header's size.

    Args:
        stream: the file, where the pixel data element starts.
        header: the checked header.
        frame: index of the frame that will be decoded.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``missing_tag``, ``truncated``, ``frame_count`` or ``inconsistent``.
    """
    with boundary("reading the length of the pixel data"):
        length = _enter(stream, header)
        size = os.fstat(stream.fileno()).st_size - stream.tell()
    if not header.decoder:
        return _check_native(length, size, header)
    if length != UNDEFINED:
        raise ImageReadError("inconsistent", "compressed pixel data have a fixed length; export the image again.")
    with boundary("reading the fragments of the pixel data"):
        start = stream.tell()
        fragments = _count_fragments(stream)
        if fragments < header.frames:
            raise _too_few(fragments, header)
        stream.seek(start)
        code = get_frame(stream, frame, number_of_frames=header.frames)
        if header.frames > 1:
            stream.seek(start)
            try:
                get_frame(stream, header.frames - 1, number_of_frames=header.frames)
            except ValueError:
                raise _too_few(fragments, header) from None
    found = None if header.syntax == RLELossless else codestream_size(code)
    if header.syntax != RLELossless and found != (header.rows, header.columns):
        raise ImageReadError(
            "inconsistent",
            f"the compressed image is {found[0]} x {found[1]} pixels where the header says "
            f"{header.rows} x {header.columns}; export the image again."
            if found
            else f"the compressed image does not start like {header.syntax.name}; export the image again.",
        )
    return []


def codestream_size(code: bytes) -> tuple[int, int] | None:
    """Returns ``(rows, columns)`` that a JPEG, JPEG-LS or JPEG 2000 codestream declares; None when it is neither.

    Pillow knows 8-bit JPEG and JPEG 2000 only; JPEG lossless with 16 bits and JPEG-LS are common in radiographs.

    Args:
        code: the frame's bytes.
    """
    start = code[:4096].find(b"\xff\x4f\xff\x51")  # SOC, SIZ; a JP2 file has boxes before it
    if start >= 0 and len(code) >= start + 24:
        x1, y1, x0, y0 = struct.unpack_from(">4I", code, start + 8)
        return y1 - y0, x1 - x0
    if code[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in NOT_START_OF_FRAME) or marker == 0xF7:  # F7: JPEG-LS
            rows, columns = struct.unpack_from(">HH", code, at + 5)
            return rows, columns
        at += 2 + struct.unpack_from(">H", code, at + 2)[0]
    return None


def _enter(stream: BinaryIO, header: DicomHeader) -> int:
    """Reads the pixel data element's tag and length; leaves the stream at its value."""
    order = "<" if header.syntax.is_little_endian else ">"
    head = stream.read(8)
    if len(head) < 8:
        raise ImageReadError("missing_tag", f"{element('PixelData')} is missing or cut off; export the image again.")
    if struct.unpack(order + "HH", head[:4]) != PIXEL_DATA:
        raise ImageReadError("unsupported", "floating point pixel data are not read; export integers.")
    if header.syntax.is_implicit_VR:
        return int(struct.unpack(order + "I", head[4:])[0])
    return int(struct.unpack(order + "I", stream.read(4))[0])


def _check_native(length: int, size: int, header: DicomHeader) -> list[str]:
    """Compares the length of uncompressed pixels with the header and with the file."""
    dataset = header.dataset
    bits = header.rows * header.columns * header.samples * header.frames * dataset.BitsAllocated
    whole = (bits + 7) // 8
    expected = whole * 2 // 3 if header.photometric == "YBR_FULL_422" else whole
    if length == UNDEFINED:
        raise ImageReadError("inconsistent", "uncompressed pixel data must have a length; export the image again.")
    if min(length, size) < expected:
        raise ImageReadError(
            "truncated",
            f"{element('PixelData')} holds {min(length, size)} bytes of {expected}; copy the file again.",
        )
    if expected < whole <= length:
        raise ImageReadError(
            "inconsistent", f"{element('PixelData')} is longer than YBR_FULL_422 is; export the image again."
        )
    return [f"{element('PixelData')} has trailing bytes"] if length > expected + 1 else []


def _count_fragments(stream: BinaryIO) -> int:
    """Walks the items of encapsulated pixel data to the end; returns their number without the offset table."""
    size = os.fstat(stream.fileno()).st_size
    count = -1
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise ImageReadError("truncated", "the file ends inside the compressed pixel data; copy it again.")
        group, number, length = struct.unpack("<HHI", head)
        if (group, number) == DELIMITER:
            return count
        if (group, number) != ITEM:
            raise ImageReadError("inconsistent", "the fragments of the pixel data are damaged; copy the file again.")
        stream.seek(length, os.SEEK_CUR)
        if stream.tell() > size:
            raise ImageReadError("truncated", "the file ends inside the compressed pixel data; copy it again.")
        count += 1


def _too_few(fragments: int, header: DicomHeader) -> ImageReadError:
    return ImageReadError(
        "frame_count",
        f"the file has {fragments} fragments for the {header.frames} frames of {element('NumberOfFrames')}; "
        "export it again.",
    )
