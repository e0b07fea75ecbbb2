# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a JPEG of three components says about its colors."""

from __future__ import annotations

from monai_anomaly.data.jpeg_stream import ADOBE, JFIF, JPEG_START, SCAN, is_frame_header, walk_jpeg

__all__ = ["mark_rgb", "take_jpeg_colors"]

FRAME_SIZES = 6
"""Bytes of a frame header before its components, of which each has a name, sampling factors and a table."""


def take_jpeg_colors(code: bytes) -> tuple[bytes, set[str]]:
    """Return a JPEG without the markers that make decoders convert its colors, and what it says of them.

    libjpeg believes JFIF more than Adobe, Adobe more than the names of the components, and DICOM last; without markers,
    pydicom asks it for the components as they are. Where there is no marker, components that are stored with fewer
    pixels than the first are colors beside a brightness, as nobody does that to green and blue; so are those without
    such names that are stored more coarsely.

    Args:
        code: a JPEG of three components.

    Returns:
        The JPEG, and the set of its statements: ``"RGB"``, ``"YBR"``, both or none.

    Raises:
        ImageReadError: ``truncated`` or ``decode_failed`` where it ends or is damaged before its first scan.
    """
    says: set[str] = set()
    kept, end = [], 0
    frame = b""
    for part in walk_jpeg(code):
        body = code[part.body : part.end]
        if part.marker == JFIF and body.startswith(b"JFIF\0"):
            says.add("YBR")
        elif part.marker == ADOBE and body.startswith(b"Adobe"):
            says.add("YBR" if body[11:12] == b"\x01" else "RGB")
        elif part.marker == SCAN:
            break
        else:
            if is_frame_header(part.marker):
                frame = body[FRAME_SIZES:]
            continue
        kept.append(code[end : part.start])
        end = part.end
    names, sampling, tables = frame[0:9:3], frame[1:9:3], frame[2:9:3]
    if not says and (len(set(sampling)) > 1 or (names != b"RGB" and len(set(tables)) > 1)):
        says.add("YBR")
    if names == b"RGB":
        says.add("RGB")
    return b"".join(kept) + code[end:], says


def mark_rgb(code: bytes) -> bytes:
    """Return a JPEG without markers with Adobe's for "not transformed", so that its decoder gives RGB as it is."""
    return JPEG_START + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + code[len(JPEG_START) :]
