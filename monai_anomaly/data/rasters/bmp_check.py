# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the length that a BMP says it has is that of its pixels; the format holds no checksum."""

from __future__ import annotations

import struct

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.zero_tail import check_zero_tail

__all__ = ["BMP_START", "check_bmp"]

BMP_START = b"BM"
UNCOMPRESSED = (0, 3, 6)  # RGB, and the same with masks of bits
INFO_HEADER, OLD_HEADER = 40, 12
WITH_PROFILE = 124
CURE = "copy or export the file again"


def check_bmp(data: bytes) -> tuple[str, ...]:
    """Refuse a BMP without some of its pixels, or with rows or columns that its own lengths contradict.

    Bytes behind the length that the file gives itself are left alone, as in other formats.

    Args:
        data: the file, whose size in pixels has been checked.

    Returns:
        What was tolerated: nothing.

    Raises:
        ImageReadError: ``truncated`` or ``decode_failed``.
    """
    if len(data) < 54:
        raise ImageReadError("truncated", f"the BMP ends inside its header; {CURE}.")
    declared, _, start, size = struct.unpack_from("<4I", data, 2)
    if size == OLD_HEADER:
        columns, rows, _, bits = struct.unpack_from("<4H", data, 18)
        method = image_bytes = 0
    else:
        columns, rows, _, bits, method, image_bytes = struct.unpack_from("<2i2H2I", data, 18)
    if method not in UNCOMPRESSED:
        return ()
    row = (columns * bits + 31) // 32 * 4
    expected = row * abs(rows)
    if start + expected > len(data):
        raise ImageReadError("truncated", f"the BMP ends before its last pixel; {CURE}.")
    spare = image_bytes - expected if image_bytes else 0
    if size < WITH_PROFILE and declared <= len(data):  # nothing but pixels behind the header
        spare = max(spare, declared - start - expected)
    if spare >= row:
        raise ImageReadError("decode_failed", f"the BMP holds more pixels than its header says; {CURE}.")
    if rows and row:
        check_zero_tail(np.frombuffer(data, np.uint8, expected, start).reshape(abs(rows), row))
    return ()
