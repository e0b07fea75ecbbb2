# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

from monai_anomaly.apps.benchmark.backbone_baselines import STAGES, backbone_rows, cosine_scores, patch_features
from monai_anomaly.networks.nets.features.backbone import Backbone


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone(stages=STAGES)


def images(count: int, seed: int, bright: float = 0.6) -> torch.Tensor:
    return bright * torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_cosine_neighbors_are_scikit_learn_s():
    normals, test = torch.randn(30, 8), torch.randn(6, 8)
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(normals.numpy())
    np.testing.assert_allclose(cosine_scores(normals, test), search.kneighbors(test.numpy())[0].mean(axis=1), atol=1e-6)
    nearest = 1 - F.cosine_similarity(test, normals[:1])
    np.testing.assert_allclose(cosine_scores(normals[:1], test), nearest, atol=1e-6)


def test_features_lie_on_one_grid(backbone):
    batch = images(2, 0)
    features = patch_features(backbone, batch)
    assert features.stacked.shape == (2, 64, 24 + 40 + 112)
    assert features.local.shape == (2, 64, 40 + 112)
    second, third, _, _ = backbone(backbone.normalized(batch))
    place = (3, 5)
    patch = features.stacked[1, 8 * place[0] + place[1]]
    np.testing.assert_allclose(patch[:24], second[1, :, 6:8, 10:12].mean(dim=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(patch[24:64], third[1, :, 3, 5])
    np.testing.assert_allclose(features.local[1, 0, :40], third[1, :, :2, :2].mean(dim=(1, 2)), atol=1e-6)
    pooled = backbone(backbone.z_scored(batch))[3].mean(dim=(2, 3))
    np.testing.assert_array_equal(features.pooled, pooled)


def test_rows_do_not_depend_on_batches_and_find_what_is_unlike(backbone, monkeypatch):
    train = images(12, 0)
    test = torch.cat([images(3, 1), images(3, 2).round()])  # black and white
    spans: list[int] = []

    def took(*parts):
        spans.append(len(parts))
        return {"seconds": sum(part.wall for part in parts)}

    rows = backbone_rows(backbone, train, test, took)
    assert [row["method"] for row in rows] == [
        "PaDiM, mean, Lite0",
        "PaDiM, top 5 %, Lite0",
        "PatchCore, Lite0",
        "nearest neighbors, Lite0",
    ]
    for row in rows:
        assert row["scores"].shape == (6,)
    for row in rows[:3]:  # random weights, z-scored: its neighbors are no use
        assert row["scores"][3:].min() > row["scores"][:3].max(), row["method"]
    assert min(spans) >= 3
    monkeypatch.setattr("monai_anomaly.apps.benchmark.backbone_baselines._BATCH", 5)
    for row, again in zip(rows, backbone_rows(backbone, train, test, took), strict=True):
        np.testing.assert_allclose(row["scores"], again["scores"], rtol=2e-3)
