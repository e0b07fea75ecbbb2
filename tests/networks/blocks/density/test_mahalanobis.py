# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from monai_anomaly.networks.blocks.density import mahalanobis
from monai_anomaly.networks.blocks.density.mahalanobis import MahalanobisDistance


def _samples(count: int, features: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator) @ torch.randn(features, features, generator=generator) + 3


@pytest.mark.parametrize(("count", "features"), [(20, 50), (200, 30), (30, 30)])
def test_is_the_distance_of_ledoit_and_wolf(count: int, features: int):
    normals, others = _samples(count, features), _samples(9, features, seed=1)
    distance = MahalanobisDistance(features)
    distance.fit(normals)
    expected = np.sqrt(LedoitWolf().fit(normals.double().numpy()).mahalanobis(others.double().numpy()))
    np.testing.assert_allclose(distance(others)[0].numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("axes", [30, 9])
def test_very_many_normals_are_taken_in_parts_with_the_same_result(monkeypatch, axes: int):
    normals, others = _samples(200, 30), _samples(9, 30, seed=1)
    at_once, in_parts = MahalanobisDistance(30, axes=axes), MahalanobisDistance(30, axes=axes)
    at_once.fit(normals)
    monkeypatch.setattr(mahalanobis, "BLOCK", 199)
    monkeypatch.setattr(mahalanobis, "_spectrum", None)
    in_parts.fit(normals)
    torch.testing.assert_close(in_parts(others), at_once(others))
    if axes == 30:
        expected = np.sqrt(LedoitWolf().fit(normals.double().numpy()).mahalanobis(others.double().numpy()))
        np.testing.assert_allclose(in_parts(others)[0].numpy(), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="different images"):
        in_parts.fit(torch.ones(200, 30))


def test_up_to_8192_normals_and_fewer_than_features_are_taken_at_once(monkeypatch):
    monkeypatch.setattr(mahalanobis, "_spectrum_in_parts", None)
    MahalanobisDistance(3).fit(_samples(8192, 3))
    monkeypatch.setattr(mahalanobis, "BLOCK", 4)
    MahalanobisDistance(9).fit(_samples(8, 9))


def test_is_the_sum_that_its_weights_say():
    distance = MahalanobisDistance(12)
    distance.fit(_samples(8, 12))
    others = _samples(5, 12, seed=1)
    score, weights = distance(others)
    torch.testing.assert_close((weights * (others - distance.center)).sum(1), score)


def test_with_few_axes_the_others_count_as_their_mean():
    scales = torch.tensor([10.0, 5.0, 1.0, 1.0, 1.0, 1.0])
    normals = torch.randn(5000, 6, generator=torch.Generator().manual_seed(0)) * scales
    few, all_axes = MahalanobisDistance(6, axes=2), MahalanobisDistance(6)
    few.fit(normals)
    all_axes.fit(normals)
    assert few.axes.shape == (2, 6)
    torch.testing.assert_close(few(normals)[0], all_axes(normals)[0], rtol=0.05, atol=0.05)


def test_the_center_is_at_no_distance_and_a_constant_feature_does_no_harm():
    normals = torch.cat([_samples(9, 4), torch.zeros(9, 1)], dim=1)
    distance = MahalanobisDistance(5)
    distance.fit(normals)
    score, weights = distance(torch.cat([normals.mean(0, keepdim=True), normals]))
    assert float(score[0]) < 1e-3
    assert bool(score.isfinite().all() and weights.isfinite().all())


def test_units_do_not_matter():
    normals = _samples(20, 6)
    small, large = MahalanobisDistance(6), MahalanobisDistance(6)
    small.fit(normals * 1e-3)
    large.fit(normals * 1e3)
    torch.testing.assert_close(small(normals[:3] * 1e-3)[0], large(normals[:3] * 1e3)[0], rtol=1e-3, atol=1e-3)


def test_travels_in_the_state_dict_and_scripted():
    distance, other = MahalanobisDistance(7), MahalanobisDistance(7)
    distance.fit(_samples(5, 7))
    other.load_state_dict(distance.state_dict())
    x = _samples(3, 7, seed=1)
    assert torch.equal(other(x)[0], distance(x)[0])
    assert torch.equal(torch.jit.script(other)(x)[1], distance(x)[1])


def test_fitted_again_nothing_is_left_of_the_first_time():
    again, once = MahalanobisDistance(6), MahalanobisDistance(6)
    again.fit(_samples(20, 6, seed=5))
    again.fit(_samples(3, 6))
    once.fit(_samples(3, 6))
    assert all(torch.equal(again.state_dict()[name], value) for name, value in once.state_dict().items())


@pytest.mark.parametrize(
    ("normals", "message"),
    [
        (torch.rand(1, 3), "at least 2 normals"),
        (torch.full((4, 3), torch.nan), "finite"),
        (torch.ones(4, 3), "different images"),
    ],
)
def test_what_has_no_spread_is_refused(normals: torch.Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        MahalanobisDistance(3).fit(normals)


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="features, axes must be positive, got 3, 0"):
        MahalanobisDistance(3, axes=0)
