# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a JPEG, JPEG-LS or JPEG 2000 codestream says about itself, read without decoding it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["codestream_shape", "has_color_transform", "mark_rgb", "starts_codestream", "take_jpeg_colors"]

JPEG_START = b"\xff\xd8"
JFIF, ADOBE = 0xE0, 0xEE
JPEG2000_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
CODING_STYLE = 0x52
JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
NOT_START_OF_FRAME = (0xC4, 0xC8, 0xCC)  # among the markers FFC0 to FFCF: tables and an extension


def starts_codestream(code: bytes) -> bool:
    """Return whether these bytes begin a picture; those within one cannot look like it."""
    return code.startswith((JPEG_START, JPEG2000_START, JP2_SIGNATURE))


def codestream_shape(code: bytes) -> tuple[int, int, int] | None:
    """Return the rows, columns and components that a codestream declares; None when it is none of those known.

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
    at = _start_of_frame(code)
    if at is None:
        return None
    rows, columns, components = struct.unpack_from(">HHB", code, at + 3)
    return rows, columns, components


def _find_jpeg2000(code: bytes) -> int | None:
    """Return where a JPEG 2000 codestream starts, behind the boxes of a JP2 file; None for other codestreams.

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
    """Yield the markers before a JPEG's image, and where the length of each one's segment is."""
    at = 2
    while code[:2] == b"\xff\xd8" and at + 10 <= len(code) and code[at] == 0xFF:
        if code[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        yield code[at + 1], at + 2
        at += 2 + struct.unpack_from(">H", code, at + 2)[0]


def _start_of_frame(code: bytes) -> int | None:
    """Return where the length of a JPEG's frame header is."""
    for marker, at in _markers(code):
        if (0xC0 <= marker <= 0xCF and marker not in NOT_START_OF_FRAME) or marker == 0xF7:  # F7: JPEG-LS
            return at
    return None


def take_jpeg_colors(code: bytes) -> tuple[bytes, set[str]]:
    """Return a JPEG without the markers that make decoders convert its colors, and what they say.

    libjpeg believes JFIF more than Adobe, Adobe more than the names of the components, and DICOM last; without markers,
    pydicom asks it for the components as they are.

    Args:
        code: a JPEG of three components.

    Returns:
        The JPEG, and the set of its statements: ``"RGB"``, ``"YBR"``, both or none.
    """
    says: set[str] = set()
    kept, end = [], 0
    for marker, at in _markers(code):
        start, end_of_segment = at - 2, at + int(struct.unpack_from(">H", code, at)[0])
        name = code[at + 2 : at + 7]
        if marker == JFIF and name == b"JFIF\0":
            says.add("YBR")
        elif marker == ADOBE and name == b"Adobe":
            says.add("YBR" if code[at + 13 : at + 14] == b"\x01" else "RGB")
        else:
            continue
        kept.append(code[end:start])
        end = end_of_segment
    at = _start_of_frame(code) or 0
    if code[at + 8 : at + 17 : 3] == b"RGB":  # the names of the three components
        says.add("RGB")
    return b"".join(kept) + code[end:], says


def mark_rgb(code: bytes) -> bytes:
    """Return a JPEG without markers with Adobe's for "not transformed", so that its decoder gives RGB as it is."""
    return JPEG_START + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + code[len(JPEG_START) :]


def has_color_transform(code: bytes) -> bool:
    """Return whether a JPEG 2000 codestream says that its decoder turns its components to RGB."""
    at = _find_jpeg2000(code)
    at = len(code) if at is None else at + 2
    while at + 10 <= len(code) and code[at] == 0xFF:
        if code[at + 1] == CODING_STYLE:
            return code[at + 8] == 1
        at += 2 + int(struct.unpack_from(">H", code, at + 2)[0])
    return False
