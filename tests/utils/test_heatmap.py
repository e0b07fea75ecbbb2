# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.utils.heatmap import PALETTE, encode_heatmap, encode_image, map_to_levels, row_blocks


def _open(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_levels_are_rounded_and_clipped():
    values = np.array([[-9, 0, 1, 2, 9, 2 / 255, 0.9 / 255, 1.1 / 255]], dtype=np.float32)
    assert map_to_levels(values, (0.0, 2.0)).tolist() == [[0, 0, 128, 255, 255, 1, 0, 1]]


@pytest.mark.parametrize("map_range", [(0.0, 2.0), (-1.5, 0.25)])
def test_another_reader_gets_levels_colors_and_the_scale(map_range):
    values = np.random.default_rng(0).uniform(-2, 3, size=(5, 9)).astype(np.float32)
    levels = map_to_levels(values, map_range)
    picture = _open(encode_heatmap(values, map_range))
    assert np.array_equal(np.asarray(picture), levels)
    assert np.array_equal(np.asarray(picture.convert("RGB")), PALETTE[levels])
    assert tuple(map(float, picture.text["map_range"].split())) == map_range


def test_the_palette_grows_in_lightness():
    lightness = PALETTE.astype(float) @ [0.2126, 0.7152, 0.0722]
    assert PALETTE.shape == (256, 3)
    assert (np.diff(lightness) > -0.8).all()  # rounding to whole numbers
    assert (np.diff(lightness[::8]) > 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_orientation_and_clip(channels):
    image = np.random.default_rng(0).uniform(-0.2, 1.2, size=(channels, 4, 7)).astype(np.float32)
    expected = np.clip(np.round(image * 255), 0, 255).transpose(1, 2, 0).squeeze()
    assert np.array_equal(np.asarray(_open(encode_image(image))), expected)


@pytest.mark.parametrize(("shape", "pixels"), [((7, 3), 6), ((7, 3), 1), ((5, 4, 3), 1000), ((1, 9), 9)])
def test_blocks_are_all_rows_once(shape, pixels):
    parts = list(row_blocks(shape, pixels))
    rows = np.concatenate([np.arange(shape[0])[part] for part in parts])
    assert np.array_equal(rows, np.arange(shape[0]))
    assert all(len(range(shape[0])[part]) * shape[1] <= max(pixels, shape[1]) for part in parts)
