# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Damaged picture files, as images and as masks, through the reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.data.errors import ImageReadError
from tests.helpers.dicom_files import READER, read, refusal
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(128, 160)
CODES = {
    "jpg": encode(GRAY, "JPEG", quality=92),
    "png": encode(GRAY, "PNG"),
    "bmp": encode(GRAY, "BMP"),
}


@pytest.mark.parametrize("suffix", CODES)
def test_a_cut_file_with_zeros_in_place_of_the_rest(tmp_path: Path, suffix: str):
    code, path = CODES[suffix], tmp_path / f"a.{suffix}"
    path.write_bytes(code)
    image, meta = read(path)
    assert np.abs(image[0] - GRAY / 255).mean() < 0.01 and meta["warnings"] == []
    assert READER.read_mask(path).shape == GRAY.shape
    for damaged in (code[: len(code) // 2], code[: len(code) // 2 + 7] + bytes(len(code) - len(code) // 2 - 7)):
        path.write_bytes(damaged)
        assert refusal(path).code in ("truncated", "decode_failed")
        with pytest.raises(ImageReadError):
            READER.read_mask(path)


def test_size_is_looked_at_before_anything_is_decoded(tmp_path: Path):
    code = bytearray(CODES["jpg"])
    at = code.index(b"\xff\xc0") + 5
    code[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.jpg").write_bytes(code)
    assert refusal(tmp_path / "a.jpg").code == "budget"
