# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.handlers.training.map_range import fit_map_range


class Shifted(nn.Module):
    """A map that is the image and a constant."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.shift


def test_the_last_color_is_four_times_what_normals_stay_below():
    normals = torch.linspace(0.0, 1.0, 10_001).reshape(1, 1, 1, -1)
    assert fit_map_range(Shifted(0.0), normals) == pytest.approx([0.0, 4 * 0.99], abs=1e-6)


def test_the_first_color_is_below_zero_where_maps_go_there():
    normals = torch.linspace(0.0, 1.0, 10_001).reshape(1, 1, 1, -1)
    low, high = fit_map_range(Shifted(-0.5), normals)
    assert (low, high) == pytest.approx((-0.49, 4 * 0.49), abs=1e-6)


def test_maps_are_shifted_to_the_scores_that_new_images_would_have():
    normals = torch.linspace(0.0, 1.0, 10_001).reshape(1, 1, 1, -1).expand(2, -1, -1, -1)
    low, high = fit_map_range(Shifted(-7.0), normals, scores=torch.tensor([1.5, 1.5]))  # the mean is 0.5 unshifted
    assert (low, high) == pytest.approx((0.0, 4 * 1.99), abs=1e-6)
    assert fit_map_range(Shifted(1.0), normals, scores=torch.full((2,), torch.nan)) == pytest.approx([0.0, 4 * 1.99])


def test_a_map_of_zeros_still_has_a_range_and_the_mode_stays():
    network = Shifted(0.0).train()
    assert fit_map_range(network, torch.zeros(3, 1, 4, 4)) == [0.0, 1e-6]
    assert network.training
