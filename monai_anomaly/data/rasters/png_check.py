# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The checksums and the length of a PNG: PNG specification, third edition, 5.3, 8.1 and 10.1.

Pillow looks at the checksum of a part when it reads the next one and at none behind the last pixel, does not mind more
rows than the header says, and can be told by any other package to look at no checksum at all.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from monai_anomaly.data.errors import ImageReadError

__all__ = ["PNG_START", "check_png", "unpack_png"]

PNG_START = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column of each pass of an interlaced picture, and the steps between its rows and columns."""
PIECE = 2**20
MAX_PARTS = 200_000
MOST_UNPACKED = 2**24
"""Bytes of pixels up to which they are held beside the file."""
CURE = "copy or export the file again"


def check_png(data: bytes) -> tuple[str, ...]:
    """Refuse a PNG with a wrong checksum, or with fewer or more pixels than its header says.

    Bytes behind its last part are left alone.

    Args:
        data: the file, whose size in pixels has been checked.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed`` or ``budget``.
    """
    return unpack_png(data)[0]


def unpack_png(data: bytes) -> tuple[tuple[str, ...], bytes]:
    """Return what :func:`check_png` does, and the same PNG with its pixels as they are before their compression.

    They have been inflated to be counted, and Pillow takes longer for that than Python does. The PNG is returned as it
    is where its pixels have more than 16 MiB, or are in parts with others in between, after which Pillow stops.

    Args:
        data: as of :func:`check_png`.

    Raises:
        ImageReadError: as :func:`check_png`.
    """
    header, compressed = b"", []
    start = end = 0
    for kind, at, body in _parts(data):
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            start, end = start or at, at + 12 + len(body)
            compressed.append(body)
    if len(header) != 13 or header[9] not in CHANNELS:
        raise ImageReadError("decode_failed", f"the header of the PNG is damaged; {CURE}.")
    expected = _expected_bytes(header)
    pieces: list[bytes] | None = [] if expected <= MOST_UNPACKED else None
    held, rest = _inflate(b"".join(compressed), expected, pieces)
    if held != expected:
        more = "more" if held > expected else "fewer"
        raise ImageReadError("decode_failed", f"the PNG holds {more} pixels than its header says; {CURE}.")
    notes = ("the PNG has bytes behind its last pixel",) if rest else ()
    if pieces is None or end - start != sum(12 + len(body) for body in compressed):
        return notes, data
    return notes, data[:start] + _part(b"IDAT", zlib.compress(b"".join(pieces), 0)) + data[end:]


def _part(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))


def _parts(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield type, place and content of each part up to the end."""
    at = len(PNG_START)
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise _cut_off()
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + int(length)
        if end + 4 > len(data):
            raise _cut_off()
        if zlib.crc32(memoryview(data)[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise ImageReadError("decode_failed", f"a checksum of the PNG is wrong; {CURE}.")
        kind = data[at + 4 : at + 8]
        yield kind, at, data[at + 8 : end]
        if kind == b"IEND":
            return
        at = end + 4
    raise ImageReadError("budget", f"the PNG has more than {MAX_PARTS} parts; save it anew.")


def _expected_bytes(header: bytes) -> int:
    """Return the bytes that the pixels have before their compression."""
    columns, rows, depth, color, _, _, interlaced = struct.unpack(">2I5B", header)
    bits = depth * CHANNELS[color]
    total = 0
    for top, left, down, right in ADAM7 if interlaced else ((0, 0, 1, 1),):
        height, width = -(-(rows - top) // down), -(-(columns - left) // right)
        if height > 0 and width > 0:
            total += height * (1 + (width * bits + 7) // 8)
    return total


def _inflate(compressed: bytes, most: int, pieces: list[bytes] | None) -> tuple[int, bytes]:
    """Return how many bytes there are, at most a piece above ``most``, and what comes behind their checksum.

    Args:
        compressed: the bytes.
        most: how many there should be.
        pieces: gets them; None for what is not to be held.
    """
    inflater = zlib.decompressobj()
    held = 0
    try:
        while not inflater.eof and held <= most:
            piece = inflater.decompress(compressed, PIECE)
            held += len(piece)
            if pieces is not None:
                pieces.append(piece)
            compressed = inflater.unconsumed_tail
            if not piece and not compressed and not inflater.eof:
                raise _cut_off()
    except zlib.error:
        raise ImageReadError("decode_failed", f"the compressed data of the PNG are damaged; {CURE}.") from None
    return held, inflater.unused_data


def _cut_off() -> ImageReadError:
    return ImageReadError("truncated", f"the PNG ends before its last part; {CURE}.")
