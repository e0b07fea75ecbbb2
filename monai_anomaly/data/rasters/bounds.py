# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much of a PNG, JPEG or BMP is gone through, before Pillow does: it reads parts and runs one by one, in Python."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_stream import JPEG_START
from monai_anomaly.data.jpeg_work import check_jpeg_work
from monai_anomaly.data.rasters.bmp_check import BMP_START
from monai_anomaly.data.rasters.png_check import MAX_PARTS, PNG_START
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["check_parts"]

RUN_LENGTHS = (1, 2)
MAX_RUNS = 4 * 2**20
"""Bytes of the run lengths of a BMP, two for a run; 1,448 x 1,448 pixels without any repetition have as many."""
MAX_RUN_PIXELS = 2**24
"""Pixels of such a BMP; Pillow fills up its lines one pixel after the other."""


def check_parts(stream: BinaryIO, limits: ReadLimits) -> None:
    """Refuse a file of too many parts; other faults are found by others.

    Args:
        stream: the open file, at its start, where it is left.
        limits: ``max_bytes`` is the longest file, too, as no picture is longer than its pixels.

    Raises:
        ImageReadError: ``budget``.
    """
    size = stream.seek(0, os.SEEK_END)
    if size > limits.max_bytes:
        raise ImageReadError("budget", f"the file has {size} bytes, more than max_bytes={limits.max_bytes}; raise it.")
    stream.seek(0)
    head = stream.read(54)
    if head.startswith(PNG_START):
        _check_png(stream)
    elif head.startswith(JPEG_START):
        stream.seek(0)
        check_jpeg_work(stream.read())
    elif head.startswith(BMP_START) and len(head) == 54:
        header_size, method = struct.unpack_from("<I", head, 14)[0], struct.unpack_from("<I", head, 30)[0]
        if header_size >= 40 and method in RUN_LENGTHS:
            _check_runs(size, *struct.unpack_from("<2i", head, 18))
    stream.seek(0)


def _check_runs(size: int, columns: int, rows: int) -> None:
    """Refuse run lengths that are many, and the ends of lines that many pixels are filled up to."""
    if size > MAX_RUNS:
        raise ImageReadError("budget", f"the BMP has more than {MAX_RUNS} bytes of run lengths; save it as PNG.")
    if abs(columns * rows) > MAX_RUN_PIXELS:
        raise ImageReadError(
            "budget", f"the BMP has run lengths and more than {MAX_RUN_PIXELS} pixels; save it as PNG."
        )


def _check_png(stream: BinaryIO) -> None:
    """Count the parts of a PNG by their lengths."""
    stream.seek(len(PNG_START))
    for _ in range(MAX_PARTS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        stream.seek(int(struct.unpack(">I", head[:4])[0]) + 4, os.SEEK_CUR)
    raise ImageReadError("budget", f"the PNG has more than {MAX_PARTS} parts; save it anew.")
