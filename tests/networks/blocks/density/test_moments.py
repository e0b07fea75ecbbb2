# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf_shrinkage

from monai_anomaly.networks.blocks.density import moments as module
from monai_anomaly.networks.blocks.density.moments import mean_and_spread, mean_of, moments


def _samples(count: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 7, generator=generator) @ torch.randn(7, 7, generator=generator) + 3


@pytest.fixture(params=[8, 25, 50])
def _parts(request, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", request.param)


@pytest.mark.usefixtures("_parts")
def test_moments_are_those_of_numpy_and_scikit_learn_in_any_number_of_parts():
    samples = _samples()
    found, expected = moments(samples), samples.double().numpy()
    np.testing.assert_allclose(found.center, expected.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(expected.T, bias=True), rtol=1e-10)
    assert found.shrinkage == pytest.approx(ledoit_wolf_shrinkage(expected), rel=1e-9)
    center, spread = mean_and_spread(samples)
    np.testing.assert_allclose(center, expected.mean(0), rtol=1e-12)
    np.testing.assert_allclose(spread, expected.std(0), rtol=1e-12)


@pytest.mark.usefixtures("_parts")
def test_the_moments_are_of_what_the_samples_were_changed_to():
    samples = _samples()
    found = moments(samples, lambda part: part.double().clamp(-1.0, 4.0))
    expected = samples.double().clamp(-1.0, 4.0).numpy()
    np.testing.assert_allclose(found.covariance, np.cov(expected.T, bias=True), rtol=1e-10)
    assert found.shrinkage == pytest.approx(ledoit_wolf_shrinkage(expected), rel=1e-9)


def test_noise_is_shrunk_whole_and_equal_samples_not():
    noise = torch.randn(9, 7, generator=torch.Generator().manual_seed(1))
    assert moments(noise).shrinkage == pytest.approx(ledoit_wolf_shrinkage(noise.double().numpy()), rel=1e-9)
    assert moments(torch.ones(9, 7)).shrinkage == 0.0


def test_one_part_has_the_mean_and_spread_of_pytorch_to_the_bit():
    samples = _samples(1000)
    center, spread = mean_and_spread(samples)
    assert torch.equal(center, samples.double().mean(0)) and torch.equal(center, mean_of([samples.double()]))
    assert torch.equal(spread, samples.double().std(0, correction=0))
