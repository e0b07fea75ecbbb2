# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Strips and tiles of a TIFF, unpacked by libraries that are there: zlib, and libtiff and libjpeg of Pillow.

tifffile would need imagecodecs for LZW, PackBits and JPEG: 45 native libraries, any of which a file could ask for.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import JpegImagePlugin, TiffImagePlugin

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_check import check_jpeg
from monai_anomaly.data.jpeg_colors import mark_rgb, take_jpeg_colors
from monai_anomaly.data.jpeg_stream import find_frame_header

__all__ = ["decode_jpeg", "inflate", "join_tables", "unpack_strips"]

CURE = "copy or export the file again"
END_OF_LZW = 4
"""The last code of LZW is not 0, so that no more than some bits of padding and a byte are 0 behind it."""


def inflate(packed: bytes, size: int, most: int) -> bytes:
    """Return what deflate packed.

    Args:
        packed: the strip or tile.
        size: bytes that are wanted of it.
        most: bytes that it may hold; some writers fill up the last strip.

    Raises:
        ImageReadError: ``truncated``, ``inconsistent`` or ``decode_failed``; the checksum has to be right.
    """
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, most + 1)
    except zlib.error:
        raise ImageReadError("decode_failed", f"a strip or tile of the TIFF is damaged; {CURE}.") from None
    if len(content) > most:
        raise ImageReadError("inconsistent", "a strip or tile of the TIFF holds too much; export the file again.")
    if len(content) < size or not stream.eof:
        raise ImageReadError("truncated", f"a strip or tile of the TIFF ends too early; {CURE}.")
    return content[:size]


def unpack_strips(
    packed: Sequence[bytes], compression: int, *, rows: int, rows_per_strip: int, row_bytes: int
) -> np.ndarray:
    """Return what LZW or PackBits packed, as uint8 ``(rows, row_bytes)``.

    libtiff gets a TIFF of its own, of gray bytes and without any tag of the file, so that nothing but the packing can
    be read in two ways.

    Args:
        packed: the strips, or tiles as strips.
        compression: number of the compression.
        rows: of all strips together.
        rows_per_strip: of each but the last.
        row_bytes: bytes of a row.

    Raises:
        ImageReadError: ``decode_failed``.
    """
    if compression == 5 and any(not any(strip[-END_OF_LZW:]) for strip in packed):
        raise ImageReadError("decode_failed", f"a strip or tile of the TIFF ends in zeros; {CURE}.")
    stream = io.BytesIO(_write_gray(packed, compression, rows, rows_per_strip, row_bytes))
    try:
        image = TiffImagePlugin.TiffImageFile(stream)
        image.load()
    except (OSError, SyntaxError):  # Pillow's for libtiff's, which says no more
        raise ImageReadError("decode_failed", f"a strip or tile of the TIFF is damaged; {CURE}.") from None
    return np.asarray(image)


def _write_gray(packed: Sequence[bytes], compression: int, rows: int, rows_per_strip: int, row_bytes: int) -> bytes:
    """Return a TIFF of gray bytes with these strips."""
    count = len(packed)
    tags = 9
    lists = 8 + 2 + 12 * tags + 4
    start = lists + (8 * count if count > 1 else 0)
    counts = [len(strip) for strip in packed]
    offsets = [start + sum_before for sum_before in np.cumsum([0, *counts[:-1]]).tolist()]
    places = (lists, lists + 4 * count) if count > 1 else (offsets[0], counts[0])
    entries = [
        (256, 4, 1, row_bytes),
        (257, 4, 1, rows),
        (258, 4, 1, 8),
        (259, 4, 1, compression),
        (262, 4, 1, 1),
        (273, 4, count, places[0]),
        (277, 4, 1, 1),
        (278, 4, 1, rows_per_strip),
        (279, 4, count, places[1]),
    ]
    directory = struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    numbers = struct.pack(f"<{2 * count}I", *offsets, *counts) if count > 1 else b""
    return b"".join([b"II*\0", struct.pack("<I", 8), directory, numbers, *packed])


def join_tables(code: bytes, tables: bytes) -> bytes:
    """Return a whole JPEG.

    Args:
        code: of a strip or tile, which may leave its tables to the page.
        tables: those of the page, a JPEG without a picture; may be empty.
    """
    return tables[:-2] + code[2:] if len(tables) > 4 else code


def decode_jpeg(code: bytes, shape: tuple[int, int, int], *, ycbcr: bool) -> tuple[np.ndarray, list[str]]:
    """Return the pixels of a JPEG, gray or RGB, and what had to be assumed.

    Args:
        code: the whole JPEG.
        shape: its rows, columns and colors, 1 or 3, by the tags of the TIFF.
        ycbcr: whether these say YCbCr.

    Returns:
        uint8 ``(rows, columns, colors)``, and warnings.

    Raises:
        ImageReadError: ``inconsistent``, ``truncated``, ``decode_failed`` or ``unsupported``.
    """
    header = find_frame_header(code)
    if header is None:
        raise ImageReadError("decode_failed", f"a JPEG in the TIFF is damaged; {CURE}.")
    if (header.rows, header.columns, len(header.components)) != shape:
        raise ImageReadError("inconsistent", "a JPEG in the TIFF has not the size of its strip or tile; export again.")
    notes = list(check_jpeg(code))
    if shape[2] == 3:
        code, says = take_jpeg_colors(code)
        if "RGB" in says and (ycbcr or len(says) > 1):
            raise ImageReadError("inconsistent", "a JPEG and its TIFF disagree about its colors; export it again.")
        if not ycbcr and "YBR" in says:
            notes.append("the TIFF says RGB, but its JPEG that it holds Y, Cb, Cr; the JPEG was believed")
        elif not ycbcr:
            code = mark_rgb(code)
    try:
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(code))
        image.load()
    except (OSError, SyntaxError):
        raise ImageReadError("decode_failed", f"a JPEG in the TIFF is damaged; {CURE}.") from None
    return np.asarray(image).reshape(shape), notes
