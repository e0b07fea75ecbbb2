# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The parts of a JPEG or JPEG-LS, one after the other to its end, without decoding it: ITU-T T.81 Annex B.

Picture files and DICOM frames go through the same walk. It costs a search over the bytes, and is bounded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from monai_anomaly.data.errors import ImageReadError

__all__ = [
    "ADOBE",
    "END",
    "HUFFMAN",
    "JFIF",
    "JPEG_LS",
    "JPEG_START",
    "LOSSLESS",
    "MAX_SCANS",
    "SCAN",
    "FrameHeader",
    "Part",
    "find_frame_header",
    "is_frame_header",
    "read_frame_header",
    "walk_jpeg",
]

JPEG_START = b"\xff\xd8"
LOSSLESS, HUFFMAN, END, SCAN, JFIF, ADOBE, JPEG_LS = 0xC3, 0xC4, 0xD9, 0xDA, 0xE0, 0xEE, 0xF7
NOT_START_OF_FRAME = (HUFFMAN, 0xC8, 0xCC)  # among the markers FFC0 to FFCF: tables and an extension
WITHOUT_LENGTH = (0x01, *range(0xD0, 0xDA))
BEHIND_FILL = re.compile(rb"[^\xff]")
BEHIND_SCAN = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")  # a marker, but not a stuffed byte, a restart or a fill byte
BEHIND_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # JPEG-LS stuffs bits, so that any byte below 80 is data
MAX_SCANS = 100
MAX_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """A marker with its segment, and what follows it up to the next marker.

    Args:
        marker: second byte of the marker.
        start: where the marker is.
        body: where the content of its segment is, behind the length.
        end: where its segment ends; in a scan, where its compressed data begin.
        behind: where the next marker is; in a scan, where its compressed data end.
    """

    marker: int
    start: int
    body: int
    end: int
    behind: int


@dataclass(frozen=True)
class FrameHeader:
    """What a JPEG says of its picture.

    Args:
        marker: second byte of the marker, which names the process: C0 baseline, C2 progressive, C3 lossless, ...
        precision: bits of a sample.
        rows: rows.
        columns: columns.
        components: of each its name and its horizontal and vertical sampling factor.
    """

    marker: int
    precision: int
    rows: int
    columns: int
    components: tuple[tuple[int, int, int], ...]


def walk_jpeg(code: bytes) -> Iterator[Part]:
    """Yield the parts from the first marker behind the start to the marker of the end, which is the last.

    What comes behind the end, such as padding or a second picture of a camera, is left alone.

    Args:
        code: the bytes, which begin with a start marker.

    Raises:
        ImageReadError: ``truncated`` where the bytes end before the picture does, ``decode_failed`` where there is no
            marker, ``budget`` for more than 10,000 parts or 100 scans; parts before the fault have been given by then.
    """
    at, scans, behind_scan = len(JPEG_START), 0, BEHIND_SCAN
    for _ in range(MAX_PARTS):
        start = at
        if code[at : at + 2] == b"\xff\xff":  # fill bytes
            found = BEHIND_FILL.search(code, at)
            at = len(code) if found is None else found.start() - 1
        if at + 2 > len(code):
            raise _cut_off()
        if code[at] != 0xFF:
            raise ImageReadError("decode_failed", "a part of the JPEG is damaged; copy the file again.")
        marker = code[at + 1]
        body = end = at + 2
        if marker not in WITHOUT_LENGTH:
            if body + 2 > len(code):
                raise _cut_off()
            end = body + int(struct.unpack_from(">H", code, body)[0])
            body += 2
            if end < body:
                raise ImageReadError("decode_failed", "a part of the JPEG is damaged; copy the file again.")
            if end > len(code):
                raise _cut_off()
        at = end
        if marker == JPEG_LS:
            behind_scan = BEHIND_JPEG_LS
        elif marker == SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise ImageReadError("budget", f"the JPEG has more than {MAX_SCANS} scans; save it anew.")
            found = behind_scan.search(code, end)
            at = len(code) if found is None else found.start()
        yield Part(marker, start, body, end, at)
        if marker == END:
            return
    raise ImageReadError("budget", f"the JPEG has more than {MAX_PARTS} parts; save it anew.")


def is_frame_header(marker: int) -> bool:
    """Return whether a marker is that of a frame header."""
    return (0xC0 <= marker <= 0xCF and marker not in NOT_START_OF_FRAME) or marker == JPEG_LS


def find_frame_header(code: bytes) -> FrameHeader | None:
    """Return the frame header of a JPEG or JPEG-LS; None where there is none before the first scan.

    Args:
        code: the bytes, which need not be whole.
    """
    if not code.startswith(JPEG_START):
        return None
    try:
        for part in walk_jpeg(code):
            if part.marker == SCAN:
                return None
            if is_frame_header(part.marker):
                return read_frame_header(code, part)
    except ImageReadError:
        return None
    return None


def read_frame_header(code: bytes, part: Part) -> FrameHeader | None:
    """Return the content of a frame header; None where it is too short.

    Args:
        code: the bytes.
        part: the header's part.
    """
    body = code[part.body : part.end]
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    precision, rows, columns, count = struct.unpack_from(">BHHB", body)
    components = tuple((body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * count, 3))
    return FrameHeader(part.marker, precision, rows, columns, components)


def _cut_off() -> ImageReadError:
    return ImageReadError("truncated", "the JPEG ends before its last pixel; copy or export the file again.")
