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


NORMALS = torch.linspace(0.0, 1.0, 10_001).reshape(1, 1, 1, -1)
LOW, HIGH = 0.01, 0.5 + 4 * 0.49


def test_the_range_goes_from_low_normals_to_four_times_what_normals_stay_below():
    assert fit_map_range(Shifted(0.0), NORMALS) == pytest.approx([LOW, HIGH], abs=1e-6)


@pytest.mark.parametrize("shift", [-7.0, 0.3])
def test_a_constant_of_the_method_changes_no_color(shift: float):
    assert fit_map_range(Shifted(shift), NORMALS) == pytest.approx([shift + LOW, shift + HIGH], abs=1e-5)


def test_maps_are_shifted_to_the_scores_that_new_images_would_have():
    normals = NORMALS.expand(2, -1, -1, -1)
    found = fit_map_range(Shifted(-7.0), normals, scores=torch.tensor([1.5, 1.5]))  # the mean is 0.5 unshifted
    assert found == pytest.approx([1.0 + LOW, 1.0 + HIGH], abs=1e-5)
    unknown = fit_map_range(Shifted(1.0), normals, scores=torch.full((2,), torch.nan))
    assert unknown == pytest.approx([1.0 + LOW, 1.0 + HIGH], abs=1e-5)


def test_a_map_of_zeros_still_has_a_range_and_the_mode_stays():
    network = Shifted(0.0).train()
    assert fit_map_range(network, torch.zeros(3, 1, 4, 4)) == [0.0, 1e-6]
    assert network.training
