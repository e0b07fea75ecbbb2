# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.report import overlay
from monai_anomaly.report.overlay import OPACITY, OUTLINE, draw_overlay
from monai_anomaly.utils.heatmap import PALETTE, row_blocks


def _picture(rows=8, columns=6, channels=1):
    return np.random.default_rng(0).random((channels, rows, columns), dtype=np.float32)


def _as_rgb(picture):
    return np.broadcast_to(np.moveaxis(picture, 0, -1) * 255, (*picture.shape[1:], 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_map_at_the_low_end_leaves_the_picture_as_it_is(channels):
    picture = _picture(channels=channels)
    drawn = draw_overlay(picture, np.full((8, 6), -1.0, np.float32), (0.0, 2.0))
    assert drawn.dtype == np.uint8 and drawn.shape == (8, 6, 3)
    assert np.abs(drawn - _as_rgb(picture)).max() <= 0.5 + 1e-3


def test_each_pixel_is_the_picture_and_the_color_of_its_level_by_its_opacity():
    picture, source_map = _picture(), np.linspace(0, 2, 48, dtype=np.float32).reshape(8, 6)
    drawn = draw_overlay(picture, source_map, (0.0, 2.0))
    for row, column in ((0, 3), (4, 1), (7, 5)):
        level = int(source_map[row, column] / 2 * 255 + 0.5)
        share = float(OPACITY[level])
        expected = picture[0, row, column] * 255 * (1 - share) + PALETTE[level] * share
        assert np.abs(drawn[row, column] - expected).max() <= 0.51


def test_the_picture_is_seen_through_the_highest_value_too_and_higher_values_hide_more():
    assert OPACITY[0] == 0 and np.all(np.diff(OPACITY) > 0) and OPACITY[-1] < 0.8
    black, white = (np.full((1, 1, 1), value, np.float32) for value in (0, 1))
    dark, bright = (draw_overlay(picture, np.full((1, 1), 9.0, np.float32), (0, 1)) for picture in (black, white))
    assert np.all(bright.astype(int) - dark > 50)


def test_outside_the_box_the_picture_stays_behind_a_line_of_one_pixel():
    picture = _picture(20, 30)
    source_map = np.full((20, 30), np.nan, np.float32)
    source_map[5:12, 0:10] = 0.0  # at the left edge, so that the line has three sides
    drawn = draw_overlay(picture, source_map, (0.0, 1.0))
    line = np.all(drawn == OUTLINE, axis=-1)
    expected = np.zeros((20, 30), dtype=bool)
    expected[4:13, 0:11] = True
    expected[5:12, 0:10] = False
    assert np.array_equal(line, expected)
    assert np.abs(drawn[~line] - _as_rgb(picture)[~line]).max() <= 0.5 + 1e-3


def test_a_box_that_is_the_whole_picture_has_no_line():
    drawn = draw_overlay(_picture(), np.zeros((8, 6), np.float32), (0.0, 1.0))
    assert not np.any(np.all(drawn == OUTLINE, axis=-1))


def test_a_large_picture_is_as_its_parts(monkeypatch):
    picture, source_map = _picture(), np.linspace(0, 1, 48, dtype=np.float32).reshape(8, 6)
    at_once = draw_overlay(picture, source_map, (0.0, 1.0))
    monkeypatch.setattr(overlay, "row_blocks", lambda shape: row_blocks(shape, pixels=15))
    assert np.array_equal(draw_overlay(picture, source_map, (0.0, 1.0)), at_once)


@pytest.mark.parametrize("shape", [(1, 8, 5), (2, 8, 6), (8, 6)])
def test_a_picture_of_another_size_is_refused(shape):
    with pytest.raises(ValueError, match="of the map's size"):
        draw_overlay(np.zeros(shape, np.float32), np.zeros((8, 6), np.float32), (0.0, 1.0))
