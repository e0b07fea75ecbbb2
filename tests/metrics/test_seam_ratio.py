# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_anomaly.metrics.seam_ratio import seam_ratio


def _slowly(image, rows, cols):
    """Every pair of neighbors in turn: are the two pixels of one patch?"""
    across, inside = [], []
    batch, channels, height, width = image.shape

    def patch(y, x):
        return y * rows // height, x * cols // width

    for b in range(batch):
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    for down, right in ((1, 0), (0, 1)):
                        v, u = y + down, x + right
                        if v < height and u < width:
                            step = abs(float(image[b, c, v, u]) - float(image[b, c, y, x]))
                            (inside if patch(y, x) == patch(v, u) else across).append(step)
    return np.mean(across) / np.mean(inside)


@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((2, 1, 8, 8), 2),
        ((1, 3, 9, 9), 3),
        ((2, 2, 6, 8), (3, 2)),
        ((1, 1, 4, 6), (1, 3)),
        ((1, 1, 6, 4), (6, 2)),  # patches of one row: a step down always crosses a border
    ],
)
def test_equals_a_loop_over_pixels(shape, grid):
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0)).cumsum(dim=3)  # the directions differ
    rows, cols = (grid, grid) if isinstance(grid, int) else grid
    assert seam_ratio(image, grid) == pytest.approx(_slowly(image, rows, cols), rel=1e-6)


def test_a_ramp_has_no_seam_and_a_step_at_the_border_has():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) + torch.arange(8.0)[:, None]
    assert seam_ratio(ramp, 2) == pytest.approx(1.0)
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:, :] = 5.0
    assert seam_ratio(ramp + step, 2) == pytest.approx((6.0 + 1.0) / 2)  # one of both borders
    step = torch.zeros(1, 1, 8, 8)
    step[..., 3:, :] = 5.0  # one row too early
    assert seam_ratio(ramp + step, 2) < 1.0


def test_the_scale_does_not_matter():
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert seam_ratio(1e4 * image.double() - 7.0, 4) == pytest.approx(seam_ratio(image, 4), rel=1e-5)
    assert seam_ratio((255 * image).byte(), 4) == pytest.approx(seam_ratio((255 * image).floor(), 4))


def test_constant_patches_of_different_values_have_no_ratio():
    image = torch.zeros(1, 1, 8, 8)
    image[..., 4:] = 1.0
    with pytest.raises(ValueError, match="undefined: no pixel differs"):
        seam_ratio(image, 2)


@pytest.mark.parametrize(
    ("image", "grid", "match"),
    [
        (torch.rand(1, 1, 8, 8), 1, "a single patch has no borders"),
        (torch.rand(1, 1, 8, 8), (1, 1), "a single patch has no borders"),
        (torch.rand(1, 1, 8, 8), 3, "grid must divide image_size"),
        (torch.rand(1, 1, 8, 8), 0, "must be one positive number or two"),
        (torch.rand(1, 8, 8), 2, r"must be \(B, C, H, W\)"),
        (torch.rand(0, 1, 8, 8), 2, "with at least one pixel"),
        (torch.full((1, 1, 8, 8), torch.nan), 2, "must be finite"),
        (torch.full((1, 1, 8, 8), 3.0), 2, "undefined: no pixel differs"),
        (torch.rand(1, 1, 2, 2), 2, "undefined: no pixel differs"),  # patches of one pixel
    ],
)
def test_bad_input_is_one_clear_sentence(image, grid, match):
    with pytest.raises(ValueError, match=match):
        seam_ratio(image, grid)
