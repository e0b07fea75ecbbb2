# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.data.sets.cache.levels import LEVELS, REAL, decode, dtype_of, encode


def decoded(record: np.ndarray, levels: int) -> np.ndarray:
    out = np.full(record.shape, np.nan, np.float32)
    decode(record, levels, out)
    return out


@pytest.mark.parametrize("levels", LEVELS)
def test_every_value_of_so_many_bits_comes_back_bit_for_bit(levels):
    picture = (np.arange(levels + 1, dtype=np.float32) / np.float32(levels))[None, None]
    record, found = encode(picture)
    assert found == levels and record.dtype == dtype_of(levels)
    assert record.nbytes == picture.nbytes // (4 if levels == 255 else 2)
    assert decoded(record, found).tobytes() == picture.tobytes()


def test_one_value_between_the_levels_keeps_the_picture_as_it_is():
    picture = np.zeros((1, 40, 40), np.float32)
    picture[0, 17, 3] = np.nextafter(np.float32(0.2), np.float32(1))
    record, levels = encode(picture)
    assert levels == REAL and record.dtype == np.float32
    assert decoded(record, levels).tobytes() == picture.tobytes()


@pytest.mark.parametrize("value", [-0.5, 1.5, np.nan, np.inf])
def test_what_no_level_is_stays(value):
    picture = np.array([[[0.0, value]]], np.float32)
    record, levels = encode(picture)
    assert levels == REAL and record.tobytes() == picture.tobytes()
