# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether run lengths give as many bytes as a frame has: DICOM PS3.5 Annex G. Their decoders stop at the last pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterable

__all__ = ["RLE_HEADER", "fill_planes", "find_segments"]

RLE_HEADER = 64
SPARE = 2
"""Bytes that an encoder may add to the last run, and behind it, to make an even number."""


def find_segments(code: bytes, *, planes: int, rows: int, columns: int) -> list[tuple[int, int]]:
    """Return where the segments of a frame start and end; none where they cannot be those of this size.

    Args:
        code: the frame.
        planes: how many segments there must be: one for each byte of a pixel.
        rows: rows.
        columns: columns.
    """
    most = RLE_HEADER + 2 * planes * rows * (columns + 1)
    if not RLE_HEADER <= len(code) <= most:
        return []
    count, *starts = struct.unpack_from("<16I", code)
    starts = starts[:planes]
    if count != planes or starts[0] != RLE_HEADER or starts != sorted(starts) or starts[-1] >= len(code):
        return []
    return list(zip(starts, [*starts[1:], len(code)], strict=True))


def fill_planes(code: bytes, segments: Iterable[tuple[int, int]], pixels: int) -> bool:
    """Return whether each segment gives exactly one byte for every pixel.

    Args:
        code: the frame.
        segments: of :func:`find_segments`.
        pixels: rows times columns.
    """
    return all(_fills(code, start, end, pixels) for start, end in segments)


def _fills(code: bytes, at: int, end: int, expected: int) -> bool:
    """Return whether a segment gives the expected number of bytes and ends there."""
    given = 0
    while given < expected and at < end:
        control = code[at]
        if control < 128:  # that many bytes and one more follow as they are
            at += control + 2
            given += control + 1
        elif control > 128:  # the next byte, repeated
            at += 2
            given += 257 - control
        else:  # nothing
            at += 1
    return 0 <= given - expected <= SPARE and at <= end and not any(code[at + SPARE : end])
