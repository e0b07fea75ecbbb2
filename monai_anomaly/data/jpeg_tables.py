# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a run of zeros means to the Huffman tables of a JPEG: ITU-T T.81 Annexes B.2.4.2, F and G."""

from __future__ import annotations

from collections.abc import Iterable

from monai_anomaly.data.jpeg_stream import HUFFMAN, SCAN, Part

__all__ = ["lost_in_zeros"]

ZEROS = bytes(64)
"""Several blocks with every frequency in them, where zeros do not mean the end of a block."""
SYMBOLS = 17
FREQUENCIES = 0x10


def lost_in_zeros(code: bytes, parts: Iterable[Part], process: str) -> bool:
    """Return whether compressed data hold a run of zeros that no picture gives.

    The shortest code of a table is made of zeros. Where it ends a block, a black background is a run of zeros; in the
    standard's own tables and in most others it is a frequency of the smallest size.

    Args:
        code: a whole JPEG with Huffman codes.
        parts: its parts.
        process: ``"sequential"``, ``"progressive"``, whose scans hold single frequencies and bits, or ``"lossless"``.
    """
    meaning: dict[int, int] = {}  # of the code of zeros, in each table for brightness and then for frequencies
    for part in parts:
        if part.marker == HUFFMAN:
            meaning |= _meanings(code[part.body : part.end])
        elif part.marker == SCAN and code.find(ZEROS, part.end, part.behind) >= 0:
            if not _may_be_zeros(code[part.body : part.end], meaning, process):
                return True
    return False


def _meanings(body: bytes) -> dict[int, int]:
    """Return what the code of zeros means in each of a segment's tables."""
    found: dict[int, int] = {}
    while len(body) > SYMBOLS:
        found[body[0]] = body[SYMBOLS]
        body = body[SYMBOLS + sum(body[1:SYMBOLS]) :]
    return found


def _may_be_zeros(body: bytes, meaning: dict[int, int], process: str) -> bool:
    """Return whether a long run of zeros can come from a picture in a scan with this header."""
    count = body[0]
    first, _, bits = body[1 + 2 * count : 4 + 2 * count]
    tables = body[2 : 2 + 2 * count : 2]
    if process == "lossless":  # flat, or falling evenly
        return all(meaning.get(table >> 4, 0) <= 1 for table in tables)
    if process == "progressive" and (first == 0 or bits >> 4):  # brightness alone, or single bits
        return True
    ends = [meaning.get(FREQUENCIES | table & 15, 0) for table in tables]
    return all(end & 15 == 0 and end != 0xF0 for end in ends)
