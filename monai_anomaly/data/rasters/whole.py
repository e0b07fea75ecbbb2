# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a picture file is whole, by what its format has for that; Pillow makes up what is missing."""

from __future__ import annotations

from typing import BinaryIO

from monai_anomaly.data.errors import boundary
from monai_anomaly.data.jpeg_check import check_jpeg
from monai_anomaly.data.jpeg_stream import JPEG_START
from monai_anomaly.data.rasters.bmp_check import BMP_START, check_bmp
from monai_anomaly.data.rasters.png_check import PNG_START, check_png

__all__ = ["check_whole"]

CHECKS = {PNG_START: check_png, JPEG_START: check_jpeg, BMP_START: check_bmp}


def check_whole(stream: BinaryIO) -> tuple[str, ...]:
    """Refuse a picture file with missing or damaged parts; other formats pass.

    Args:
        stream: the open file, whose size in pixels has been checked; left where it was.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed``, ``unsupported`` or ``budget``.
    """
    with boundary("looking for damage in the picture"):
        at = stream.tell()
        stream.seek(0)
        head = stream.read(len(PNG_START))
        check = next((check for start, check in CHECKS.items() if head.startswith(start)), None)
        notes = () if check is None else check(head + stream.read())
        stream.seek(at)
    return notes
