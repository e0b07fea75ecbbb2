# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_anomaly.transforms.preprocessing import resize_image
from monai_anomaly.transforms.source_map import map_on_source, shrink_geometry


def _by_a_loop(anomaly_map, source_shape, box):
    """Return the value at each center of a pixel, by the four values around it, as a person would compute it."""
    (rows, columns), (x0, y0, x1, y1), (height, width) = source_shape, box, anomaly_map.shape
    result = np.full((rows, columns), np.nan)
    for row in range(y0, y1):
        for column in range(x0, x1):
            y = (row + 0.5 - y0) / (y1 - y0) * height - 0.5  # 0 is the center of the map's first pixel
            x = (column + 0.5 - x0) / (x1 - x0) * width - 0.5
            total = 0.0
            for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
                there = math.floor(y) + dy, math.floor(x) + dx
                weight = (1 - abs(y - there[0])) * (1 - abs(x - there[1]))
                total += weight * anomaly_map[min(max(there[0], 0), height - 1), min(max(there[1], 0), width - 1)]
            result[row, column] = total
    return result


@pytest.mark.parametrize(
    ("network", "source_shape", "box"),
    [
        ((4, 4), (4, 4), (0, 0, 4, 4)),
        ((4, 4), (13, 7), (0, 0, 7, 13)),
        ((4, 6), (20, 30), (3, 5, 28, 19)),
        ((1, 1), (5, 3), (0, 0, 2, 5)),
        ((8, 8), (9, 40), (31, 0, 40, 9)),
    ],
)
def test_every_pixel_has_the_value_of_a_slow_loop(network, source_shape, box):
    anomaly_map = np.random.default_rng(0).random(network, dtype=np.float32)
    result = map_on_source(anomaly_map, source_shape, box)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, _by_a_loop(anomaly_map, source_shape, box), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("source_shape", "box", "place"),
    [
        ((300, 900), (0, 0, 900, 300), (210, 130)),
        ((900, 300), (0, 0, 300, 900), (80, 270)),
        ((480, 640), (120, 60, 600, 400), (301, 555)),
        ((480, 640), (120, 60, 600, 400), (70, 130)),
        ((40, 50), (0, 0, 50, 40), (33, 9)),  # smaller than the network
    ],
)
def test_a_blob_is_found_again_where_it_was(source_shape, box, place):
    (rows, columns), (x0, y0, x1, y1), size = source_shape, box, 64
    y, x = np.mgrid[:rows, :columns]
    tall, wide = (y1 - y0) / size, (x1 - x0) / size  # a pixel of the network, in pixels of the source
    picture = np.exp(-(((y - place[0]) / (2 * tall)) ** 2) - ((x - place[1]) / (2 * wide)) ** 2).astype(np.float32)
    seen = resize_image(torch.from_numpy(picture[None, y0:y1, x0:x1]), (size, size))[0].numpy()
    found = map_on_source(seen, source_shape, box)
    row, column = np.unravel_index(np.nanargmax(found), found.shape)
    assert abs(row - place[0]) <= tall and abs(column - place[1]) <= wide
    weight = np.nan_to_num(found) / np.nansum(found)
    truth = np.where(np.isnan(found), 0, picture)
    truth = truth / truth.sum()
    assert abs((weight * y).sum() - (truth * y).sum()) < 0.3 * tall  # a shift of half a pixel would show
    assert abs((weight * x).sum() - (truth * x).sum()) < 0.3 * wide


def test_outside_the_box_there_is_nothing_and_the_map_is_not_touched():
    anomaly_map = np.ones((2, 2), dtype=np.float32)
    result = map_on_source(anomaly_map, (10, 20), (5, 2, 9, 8))
    inside = np.zeros((10, 20), dtype=bool)
    inside[2:8, 5:9] = True
    assert np.array_equal(np.isfinite(result), inside) and np.all(result[inside] == 1)
    whole = map_on_source(anomaly_map, (2, 2), (0, 0, 2, 2))
    whole[:] = 7
    assert np.all(anomaly_map == 1)


@pytest.mark.parametrize("box", [(0, 0, 0, 4), (0, 0, 6, 4), (-1, 0, 3, 4), (3, 0, 1, 4)])
def test_a_box_outside_the_picture_is_refused(box):
    with pytest.raises(ValueError, match=r"box must be .* within 4 x 5 pixels"):
        map_on_source(np.ones((2, 2), np.float32), (4, 5), box)


def test_a_map_with_a_channel_is_refused():
    with pytest.raises(ValueError, match=r"shape \(H, W\), got \(1, 2, 2\)"):
        map_on_source(np.ones((1, 2, 2), np.float32), (4, 5), (0, 0, 5, 4))


def test_a_small_picture_keeps_its_geometry_and_a_thin_box_is_never_lost():
    assert shrink_geometry((100, 200), (1, 2, 3, 4), 200) == ((100, 200), (1, 2, 3, 4))
    assert shrink_geometry((4000, 9), (0, 0, 9, 4000), 100) == ((100, 1), (0, 0, 1, 100))
    (rows, columns), (x0, y0, x1, y1) = shrink_geometry((5000, 5000), (4999, 10, 5000, 12), 50)
    assert (rows, columns) == (50, 50) and 0 <= x0 < x1 <= 50 and 0 <= y0 < y1 <= 50
