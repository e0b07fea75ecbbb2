# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_anomaly.networks.blocks.density.pool_share import contrast_weight, pool_share, score_weights


def test_the_share_follows_from_the_area_under_the_curve_with_ties():
    generator = torch.Generator().manual_seed(0)
    normals = torch.randint(0, 6, (50,), generator=generator).float()
    pool = torch.randint(2, 8, (30,), generator=generator).float()
    auc = roc_auc_score([0] * 50 + [1] * 30, torch.cat([normals, pool]).numpy())
    assert pool_share(normals, pool) == pytest.approx(2 * auc - 1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_share_is_right_where_the_abnormal_lie_above_all_normals(share: float):
    normals = torch.linspace(0, 1, 1001)
    count = int(1000 * share)
    pool = torch.cat([torch.linspace(0, 1, 1000 - count), torch.full((count,), 2.0)])
    assert pool_share(normals, pool) == pytest.approx(share, abs=0.01)


def test_a_pool_that_is_more_normal_than_normals_has_no_share():
    assert pool_share(torch.ones(5), torch.zeros(5)) == 0.0


def test_without_images_there_is_no_share():
    with pytest.raises(ValueError, match="0 images"):
        pool_share(torch.ones(5), torch.zeros(0))


def test_the_contrast_counts_by_the_odds_of_the_share_and_nothing_without():
    many = 10**9
    weights = [contrast_weight(share, many, many) for share in (0.0, 0.2, 0.5, 0.9, 1.0)]
    assert weights == pytest.approx([0.0, 1.0, 4.0, 8.0, 8.0], abs=1e-3)


def test_a_share_that_chance_may_have_made_counts_for_nothing():
    error = float(torch.tensor([_chance_share(seed) for seed in range(400)]).std())
    assert contrast_weight(1.5 * error, 40, 30) == 0.0
    assert contrast_weight(1.8 * error, 40, 30) > 0.0


def _chance_share(seed: int) -> float:
    """Twice the AUC less one, of scores that differ by chance alone."""
    scores = torch.randn(70, generator=torch.Generator().manual_seed(seed))
    return pool_share(scores[:40], scores[40:]) - pool_share(-scores[:40], -scores[40:])


def test_without_a_pool_the_distances_sum_to_one_deviation():
    scores = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    weights, share = score_weights(scores, torch.zeros(0, 3))
    assert share is None
    assert float(weights[-1]) == 0.0
    assert float((scores @ weights).std(correction=0)) == pytest.approx(1.0, abs=1e-5)


def test_with_a_pool_the_share_is_that_of_the_sum():
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(2000, 3, generator=generator)
    pool = torch.randn(2000, 3, generator=generator)
    pool[:600] += 20
    weights, share = score_weights(normals, pool)
    assert share == pytest.approx(0.3, abs=0.04)
    assert float(weights[-1]) == pytest.approx(contrast_weight(share, 2000, 2000))
    none, share = score_weights(normals, pool[600:])
    assert share < 0.05
    assert float(none[-1]) < 0.15
