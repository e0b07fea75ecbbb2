# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much work a JPEG is: each scan goes over the whole picture, and a few bytes make a scan."""

from __future__ import annotations

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_stream import SCAN, is_frame_header, read_frame_header, walk_jpeg

__all__ = ["MAX_WORK", "check_jpeg_work"]

MAX_WORK = 2**30
"""Pixels of all scans together: 16 scans, as progressive pictures have about ten, of the largest frame."""


def check_jpeg_work(code: bytes) -> None:
    """Refuse a JPEG whose scans would take minutes; it is not decoded, and other faults are found by others.

    Args:
        code: the bytes, which begin with a start marker.

    Raises:
        ImageReadError: ``budget``.
    """
    pixels = scans = 0
    try:
        for part in walk_jpeg(code):
            scans += part.marker == SCAN
            if is_frame_header(part.marker) and (header := read_frame_header(code, part)):
                pixels = max(pixels, header.rows * header.columns)
    except ImageReadError as error:
        if error.code == "budget":
            raise
    if scans * pixels > MAX_WORK:
        raise ImageReadError("budget", f"the JPEG has {scans} scans, too many for its size; save it anew.")
