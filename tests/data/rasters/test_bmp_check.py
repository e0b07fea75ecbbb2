# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import numpy as np
import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.bmp_check import check_bmp
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(64, 75)
COLOR = np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)
CODE = encode(COLOR, "BMP")


def resized(rows: int, columns: int) -> bytes:
    return CODE[:18] + struct.pack("<2i", columns, rows) + CODE[26:]


OLD = b"BM" + struct.pack("<4I4H", 26 + 64 * 76, 0, 26, 12, 75, 64, 1, 8) + bytes(64 * 76)
WHOLE = {
    "color": CODE,
    "gray": encode(GRAY, "BMP"),
    "1 bit": encode(GRAY > 128, "BMP"),
    "from top to bottom": resized(-64, 75),
    "old header": OLD,
    "padded": CODE + bytes(5000),
    "without lengths": CODE[:2] + bytes(4) + CODE[6:34] + bytes(4) + CODE[38:],
    "two bytes more, as Photoshop writes": CODE[:2] + struct.pack("<I", len(CODE) + 2) + CODE[6:] + bytes(2),
    "run lengths are left to Pillow": CODE[:30] + struct.pack("<I", 1) + CODE[34:2000],
}
DAMAGED = {
    "cut": (CODE[: len(CODE) // 2], "truncated"),
    "one byte short": (CODE[:-1], "truncated"),
    "inside the header": (CODE[:40], "truncated"),
    "more rows": (resized(65, 75), "truncated"),
    "fewer rows": (resized(63, 75), "decode_failed"),
    "fewer columns": (resized(64, 70), "decode_failed"),
    "more columns and fewer rows": (resized(32, 140), "decode_failed"),
    "old header, fewer rows": (OLD[:20] + b"\x3f" + OLD[21:], "decode_failed"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_pass(name: str):
    assert check_bmp(WHOLE[name]) == ()


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_refused(name: str):
    with pytest.raises(ImageReadError) as caught:
        check_bmp(DAMAGED[name][0])
    assert caught.value.code == DAMAGED[name][1]
