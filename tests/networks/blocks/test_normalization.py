# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.normalization import make_norm


@pytest.mark.parametrize(("channels", "groups"), [(16, 8), (12, 4), (6, 2), (3, 1), (1, 1)])
def test_each_group_of_an_image_has_mean_0_and_deviation_1(channels, groups):
    torch.manual_seed(0)
    x = 3.0 * torch.randn(2, channels, 4, 5) + 2.0
    norm = make_norm("group", channels)
    assert sum(p.numel() for p in norm.parameters()) == 2 * channels
    result = norm(x)
    width = channels // groups
    for image in range(2):
        for first in range(0, channels, width):
            values = x[image, first : first + width].double()
            expected = (values - values.mean()) / values.std(correction=0)
            torch.testing.assert_close(result[image, first : first + width].double(), expected, atol=1e-4, rtol=1e-4)


def test_none_is_the_identity():
    x = torch.randn(2, 3, 4, 4)
    norm = make_norm("none", 3)
    assert torch.equal(norm(x), x)
    assert not norm.state_dict()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="norm must be one of 'none', 'group', got 'batch'"):
        make_norm("batch", 4)
