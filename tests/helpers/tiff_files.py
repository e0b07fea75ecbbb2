# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""TIFFs by hand, tag by tag: what no library writes, and what is wrong with a file."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8}
LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}

Tags = Mapping[int, tuple[int, Sequence[int] | bytes]]


def gray_tags(rows: int, columns: int, bits: int = 8, **more: int) -> dict[int, tuple[int, Sequence[int] | bytes]]:
    """Tags of a gray page in one strip, without its place."""
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 277: 1, 278: rows}
    return {tag: (4 if tag in (256, 257, 278) else 3, [value]) for tag, value in tags.items()}


def write_tiff(pages: Sequence[tuple[Tags, Sequence[bytes]]], *, order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF whose pages have these tags and strips; places and sizes are filled in where they are not given.

    Args:
        pages: tags (number -> type, values) and strips of each.
        order: byte order.
        big: BigTIFF.
    """
    pointer, word, counter, first = ("Q", 16, "Q", 16) if big else ("I", 4, "H", 8)
    width = struct.calcsize("<" + pointer)
    start = b"II" if order == "<" else b"MM"
    content = bytearray(start + struct.pack(order + "H", 43 if big else 42))
    if big:
        content += struct.pack(order + "HH", 8, 0)
    link = len(content)
    content += bytes(first - link)
    for tags, strips in pages:
        places = []
        for strip in strips:
            places.append(len(content))
            content += strip
        place, size = (324, 325) if 322 in tags else (273, 279)
        tags = {place: (word, places), size: (word, [len(strip) for strip in strips]), **tags}
        entries = b""
        for tag, (kind, values) in sorted(tags.items()):
            count = len(values) // (8 if kind == 5 else 1)
            packed = values if isinstance(values, bytes) else struct.pack(f"{order}{count}{LETTERS[kind]}", *values)
            if len(packed) > width:
                at = len(content)
                content += packed
                packed = struct.pack(order + pointer, at)
            entries += struct.pack(f"{order}HH{pointer}", tag, kind, count) + packed.ljust(width, b"\0")
        content += bytes(len(content) % 2)
        content[link : link + width] = struct.pack(order + pointer, len(content))
        content += struct.pack(order + counter, len(tags)) + entries
        link = len(content)
        content += bytes(width)
    return bytes(content)


def pack_bits(values: Sequence[Sequence[int]], bits: int) -> bytes:
    """Return rows of numbers, the highest bit first, each row filled up to a byte."""
    packed = b""
    for row in values:
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        packed += int(text, 2).to_bytes(len(text) // 8, "big")
    return packed
