# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.density.coreset import coreset


def test_few_features_stay_as_they_are():
    features = torch.rand(5, 3)
    assert coreset(features, limit=5) is features


def test_keeps_so_many_different_rows_in_their_order():
    kept = coreset(torch.arange(1000.0)[:, None].repeat(1, 2), limit=100)
    assert kept.shape == (100, 2)
    assert bool((kept[1:] > kept[:-1]).all())


def test_draws_from_everywhere_and_the_same_each_time():
    features = torch.arange(1000.0)[:, None]
    kept = coreset(features, limit=200)
    assert torch.equal(kept, coreset(features, limit=200))
    assert not torch.equal(kept, coreset(features, limit=200, seed=1))
    counts = torch.histc(kept, bins=4, min=0, max=1000)
    assert int(counts.min()) > 25


def test_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    coreset(torch.zeros(10, 2), limit=1)
    assert torch.equal(torch.rand(1), expected)


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        coreset(torch.rand(2, 2), limit=0)
