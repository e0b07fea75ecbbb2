# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pixel data element of a DICOM file: where its bytes are, and whether they are as many as the header says.

DICOM PS3.5 8.2 and A.4. The walk over the fragments is made once, and it reads lengths only; offset tables are not
used, which are wrong in some files.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.errors import ImageReadError

__all__ = ["UNDEFINED", "check_native", "enter_pixel_data", "walk_fragments"]

UNDEFINED = 0xFFFFFFFF
"""Length of an element whose end is marked."""
ITEM, DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
PIXEL_DATA = (0x7FE0, 0x0010)
MAX_FRAGMENTS = 200_000
"""A hundred for each of 2,000 frames."""
TYPES = (b"OB", b"OW", b"UN")


def enter_pixel_data(stream: BinaryIO, header: DicomHeader) -> tuple[str, int]:
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


def check_native(length: int, size: int, header: DicomHeader) -> tuple[str, ...]:
    """Compare the length of uncompressed pixels with the header and with the file.

    Args:
        length: of the element.
        size: bytes of the file from there on.
        header: the checked header.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``truncated``, ``frame_count`` or ``inconsistent``.
    """
    whole = (header.rows * header.columns * header.samples * header.frames * header.allocated + 7) // 8
    expected = _subsampled(whole, header) if header.photometric == "YBR_FULL_422" else whole
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
    if length * header.frames >= expected * (header.frames + 1):
        raise ImageReadError(
            "frame_count",
            f"{element('PixelData')} is longer than {element('NumberOfFrames')} {header.frames} by a frame or more; "
            "export the image again.",
        )
    return (f"{element('PixelData')} has trailing bytes",) if length > expected + 1 else ()


def _subsampled(whole: int, header: DicomHeader) -> int:
    """Return the bytes of pixels of which two share their colors, out of those of pixels that do not."""
    if header.columns % 2:
        raise ImageReadError(
            "inconsistent",
            f"{element('Columns')} is odd, which YBR_FULL_422 in {element('PhotometricInterpretation')} does not "
            "allow; export the image as RGB.",
        )
    return whole * 2 // 3


def walk_fragments(stream: BinaryIO, size: int) -> list[tuple[int, int]]:
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
        if len(fragments) > MAX_FRAGMENTS:
            raise ImageReadError(
                "budget", f"{element('PixelData')} has more than {MAX_FRAGMENTS} fragments; export the image again."
            )
        stream.seek(length, os.SEEK_CUR)
        if stream.tell() > size:
            raise _cut_off()


def _cut_off() -> ImageReadError:
    return ImageReadError("truncated", f"the file ends inside {element('PixelData')}; copy it again.")
