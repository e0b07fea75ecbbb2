# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of a TIFF's page, from its strips or tiles."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.tiff.codecs import CURE, decode_jpeg, inflate, join_tables, unpack_strips
from monai_anomaly.data.rasters.tiff.directory import Directory
from monai_anomaly.data.rasters.tiff.layout import DEFLATE, JPEG, RAW, TiffLayout
from monai_anomaly.data.zero_tail import check_zero_tail

__all__ = ["read_pixels"]

REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order (FillOrder 2)."""

MOST_TABLES = 2**16
PART = 2**22
"""Bits that are taken apart at once, a byte each."""


def read_pixels(directory: Directory, layout: TiffLayout) -> tuple[np.ndarray, list[str]]:
    """Return the numbers as stored: not inverted, not turned, predictor undone, in the machine's byte order.

    Args:
        directory: the page.
        layout: its layout.

    Returns:
        ``(rows, columns, samples)``, of the layout's kind; and warnings.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed`` or ``inconsistent``.
    """
    places = _find_segments(directory, layout)
    per_plane = layout.down * layout.across
    notes: list[str] = []
    planes = []
    for start in range(0, len(places), per_plane):
        stored = _read_plane(directory, layout, places[start : start + per_plane], notes)
        values = _undo_predictor(_to_numbers(stored, directory.order, layout), layout)
        if layout.compression == RAW:
            check_zero_tail(values)
        planes.append(_join_tiles(values, layout))
    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2), list(dict.fromkeys(notes))


def _find_segments(directory: Directory, layout: TiffLayout) -> list[tuple[int, int]]:
    """Return place and size of each strip or tile, all of them within the file."""
    per_plane = layout.down * layout.across
    wanted = per_plane * layout.planes
    offsets = directory.numbers(324 if layout.tiled else 273, 2 * wanted)
    sizes = directory.numbers(325 if layout.tiled else 279, 2 * wanted)
    if not sizes and layout.compression == RAW and wanted == 1:
        sizes = (layout.rows * _row_bytes(layout),)  # old writers leave it out
    if len(offsets) != wanted or len(sizes) != wanted:
        raise ImageReadError(
            "inconsistent", "the TIFF lists more or fewer strips or tiles than its size asks for; export it again."
        )
    if layout.compression == RAW:  # of the last strip, some writers give the size that a whole one would have
        full = layout.segment_rows * _row_bytes(layout)
        needed = [_segment_rows(layout, index % per_plane) * _row_bytes(layout) for index in range(wanted)]
        sizes = tuple(need if size == full else size for size, need in zip(sizes, needed, strict=True))
    if any(offset + size > directory.file_size for offset, size in zip(offsets, sizes, strict=True)):
        raise ImageReadError("truncated", "the file ends before its last pixel; copy it again.")
    if not all(sizes) or not all(offsets):
        raise ImageReadError("decode_failed", f"the TIFF has a strip or tile without bytes; {CURE}.")
    if sum(sizes) > directory.file_size:
        raise ImageReadError("inconsistent", "strips or tiles of the TIFF lie in the same place; export it again.")
    return list(zip(offsets, sizes, strict=True))


def _row_bytes(layout: TiffLayout) -> int:
    return -(-layout.segment_columns * layout.segment_samples * layout.bits // 8)


def _segment_rows(layout: TiffLayout, index: int) -> int:
    """Return the rows of a strip, of which the last may be shorter, or of a tile."""
    if layout.tiled:
        return layout.segment_rows
    return min(layout.segment_rows, layout.rows - index * layout.segment_rows)


def _read_plane(
    directory: Directory, layout: TiffLayout, places: list[tuple[int, int]], notes: list[str]
) -> np.ndarray:
    """Return the unpacked bytes of a plane, a row of a strip or tile after the other: uint8 ``(H, row bytes)``."""
    row_bytes = _row_bytes(layout)
    heights = [_segment_rows(layout, index) for index in range(len(places))]
    if layout.compression not in (RAW, JPEG, *DEFLATE):
        packed = [_read_segment(directory, *place) for place in places]
        return unpack_strips(
            packed,
            layout.compression,
            rows=sum(heights),
            rows_per_strip=layout.segment_rows,
            row_bytes=row_bytes,
        )
    tables = directory.content(347, MOST_TABLES) if layout.compression == JPEG else b""
    plane = np.empty((sum(heights), row_bytes), np.uint8)
    top = 0
    for (offset, size), height in zip(places, heights, strict=True):
        wanted = height * row_bytes
        if layout.compression == RAW:
            if size < wanted:
                raise ImageReadError("truncated", f"a strip or tile of the TIFF ends too early; {CURE}.")
            content = _read_segment(directory, offset, wanted)
        elif layout.compression == JPEG:
            shape = (height, layout.segment_columns, layout.segment_samples)
            code = join_tables(directory.read(offset, size), tables)
            pixels, more = decode_jpeg(code, shape, ycbcr=layout.colors == "YCbCr")
            content = pixels.tobytes()
            notes += more
        else:
            content = inflate(_read_segment(directory, offset, size), wanted, layout.segment_rows * row_bytes)
        plane[top : top + height] = np.frombuffer(content, np.uint8).reshape(height, row_bytes)
        top += height
    return plane


def _read_segment(directory: Directory, offset: int, size: int) -> bytes:
    content = directory.read(offset, size)
    return content.translate(REVERSED) if directory.number(266, 1) == 2 else content


def _to_numbers(stored: np.ndarray, order: str, layout: TiffLayout) -> np.ndarray:
    """Return the numbers in bytes of a plane, ``(H, W, samples)``."""
    rows = len(stored)
    width, samples = layout.segment_columns, layout.segment_samples
    if layout.predictor == 3:  # its bytes go from the highest to the lowest, whatever the byte order
        order = ">"
    if layout.bits in (8, 16, 32, 64):
        if layout.predictor == 3:
            stored = _undo_bytes(stored, samples, layout.bits // 8)
        values = stored.view(np.dtype(f"{order}{layout.kind}{layout.bits // 8}"))
        return values.astype(values.dtype.newbyteorder("="), copy=False).reshape(rows, width, samples)
    numbers = width * samples
    values = np.empty((rows, numbers), np.uint8 if layout.bits < 8 else np.uint16)
    weights = (1 << np.arange(layout.bits - 1, -1, -1)).astype(values.dtype)
    step = max(1, PART // (8 * stored.shape[1]))
    for top in range(0, rows, step):
        bits = np.unpackbits(stored[top : top + step], axis=1)[:, : numbers * layout.bits]
        values[top : top + step] = bits.reshape(-1, numbers, layout.bits) @ weights
    return values.reshape(rows, width, samples)


def _undo_bytes(stored: np.ndarray, samples: int, size: int) -> np.ndarray:
    """Return the bytes of real numbers, highest first, from differences of bytes that are sorted by their rank."""
    rows, row_bytes = stored.shape
    summed = np.add.accumulate(stored.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    return np.ascontiguousarray(summed.reshape(rows, size, row_bytes // size).transpose(0, 2, 1)).reshape(rows, -1)


def _undo_predictor(values: np.ndarray, layout: TiffLayout) -> np.ndarray:
    return np.add.accumulate(values, axis=1, dtype=values.dtype) if layout.predictor == 2 else values


def _join_tiles(values: np.ndarray, layout: TiffLayout) -> np.ndarray:
    """Return the picture ``(rows, columns, samples)`` of tiles below each other."""
    if layout.tiled:
        height, width, samples = layout.segment_rows, layout.segment_columns, values.shape[2]
        tiles = values.reshape(layout.down, layout.across, height, width, samples).transpose(0, 2, 1, 3, 4)
        values = tiles.reshape(layout.down * height, layout.across * width, samples)
    return values[: layout.rows, : layout.columns]
