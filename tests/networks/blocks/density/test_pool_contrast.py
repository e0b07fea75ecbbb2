# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from monai_anomaly.networks.blocks.density import moments, pool_contrast
from monai_anomaly.networks.blocks.density.pool_contrast import PoolContrast


def _normals_and_pool() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(40, 8, generator=generator) * torch.arange(1, 9) + 5
    pool = torch.randn(25, 8, generator=generator) * torch.arange(1, 9) + 5
    pool[:10, 2] += 9
    return normals, pool


@pytest.mark.parametrize("count", [40, 6])
def test_is_fishers_discriminant_with_the_shrunk_covariance_of_the_normals(count: int):
    normals, pool = _normals_and_pool()
    normals = normals[:count]  # 6 are fewer than features
    contrast = PoolContrast(8, limit=100.0)
    contrast.fit(normals, pool)
    scaler = StandardScaler().fit(normals.double().numpy())
    known, unlabeled = (scaler.transform(each.double().numpy()) for each in (normals, pool))
    coefficients = LedoitWolf().fit(known).precision_ @ (unlabeled.mean(0) - known.mean(0))
    middle = (unlabeled.mean(0) + known.mean(0)) / 2
    expected = np.concatenate([known, unlabeled]) @ coefficients - coefficients @ middle
    np.testing.assert_allclose(contrast(torch.cat([normals, pool]))[0].numpy(), expected, rtol=1e-4, atol=1e-3)


def test_very_many_normals_are_looked_at_in_parts_with_the_same_result(monkeypatch):
    normals, pool = _normals_and_pool()
    at_once, in_parts = PoolContrast(8, limit=1.5), PoolContrast(8, limit=1.5)
    at_once.fit(normals, pool)
    for module in (moments, pool_contrast):
        monkeypatch.setattr(module, "BLOCK", 12)
    monkeypatch.setattr(pool_contrast, "_discriminant", None)
    in_parts.fit(normals, pool)
    for name, value in at_once.state_dict().items():
        torch.testing.assert_close(in_parts.state_dict()[name], value, msg=name)


def test_up_to_8192_normals_and_fewer_than_features_are_looked_at_at_once(monkeypatch):
    monkeypatch.setattr(pool_contrast, "_discriminant_in_parts", None)
    PoolContrast(2).fit(torch.rand(8192, 2), torch.rand(3, 2))
    monkeypatch.setattr(pool_contrast, "BLOCK", 4)
    PoolContrast(9).fit(torch.rand(8, 9), torch.rand(3, 9))


def test_normals_that_are_all_equal_have_a_discriminant_that_is_finite():
    contrast = PoolContrast(2)
    contrast.fit(torch.ones(3, 2), torch.zeros(2, 2))
    assert bool(contrast(torch.rand(2, 2))[0].isfinite().all())


def test_is_the_regression_of_scikit_learn_where_nothing_is_clipped():
    normals, pool = _normals_and_pool()
    contrast = PoolContrast(8, inverse_penalty=0.1, limit=100.0)
    contrast.fit(normals, pool)
    scaler = StandardScaler().fit(normals.double().numpy())
    model = make_pipeline(scaler, LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    both = torch.cat([normals, pool]).double().numpy()
    model[-1].fit(scaler.transform(both), np.arange(65) >= 40)
    np.testing.assert_allclose(contrast(torch.from_numpy(both))[0].numpy(), model.decision_function(both), atol=1e-4)


def test_finds_what_the_pool_has_more_of():
    normals, pool = _normals_and_pool()
    contrast = PoolContrast(8)
    contrast.fit(normals, pool)
    assert int((contrast.coefficients).argmax()) == 2
    assert float(contrast(pool[:10])[0].min()) > float(contrast(pool[10:])[0].mean())


def test_a_clipped_feature_counts_as_its_limit_and_the_weights_say_so():
    normals, pool = _normals_and_pool()
    contrast = PoolContrast(8, limit=2.0)
    contrast.fit(normals, pool)
    far = contrast.center + contrast.spread * torch.tensor([50.0, -50, 2, 1, 0, 0, -2, 3])
    near = contrast.center + contrast.spread * torch.tensor([2.0, -2, 2, 1, 0, 0, -2, 2])
    torch.testing.assert_close(contrast(far[None])[0], contrast(near[None])[0])
    score, weights = contrast(far[None])
    torch.testing.assert_close((weights * (far - contrast.center)).sum(1) + contrast.intercept, score)


def test_travels_in_the_state_dict_and_scripted():
    normals, pool = _normals_and_pool()
    contrast, other = PoolContrast(8), PoolContrast(8)
    contrast.fit(normals, pool)
    other.load_state_dict(contrast.state_dict())
    assert torch.equal(torch.jit.script(other)(pool)[0], contrast(pool)[0])


@pytest.mark.parametrize(
    ("normals", "pool", "message"),
    [(1, 3, "at least 2 normals .*, got 1"), (3, 0, "at least 1 images of the pool .*, got 0")],
)
def test_one_side_alone_is_refused(normals: int, pool: int, message: str):
    with pytest.raises(ValueError, match=message):
        PoolContrast(2).fit(torch.rand(normals, 2), torch.rand(pool, 2))


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        PoolContrast(2).fit(torch.rand(3, 2), torch.full((1, 2), torch.inf))


def test_arguments_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="positive"):
        PoolContrast(2, inverse_penalty=0.0)
