# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from monai_anomaly.losses.relative_perceptual import RelativePerceptualL1Loss
from monai_anomaly.networks.blocks.perceptual_distance import relative_distance_map


def _features(seed=0, batch=3):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, 4, 8, 8, generator=generator), torch.randn(batch, 6, 4, 4, generator=generator)]


def _by_hand(real, fake, weights):
    """Per sample, in NumPy and float64."""
    scores = np.zeros(len(real[0]))
    for weight, r, f in zip(weights, real, fake, strict=True):
        r, f = r.detach().double().numpy(), f.detach().double().numpy()
        scores += weight * np.abs(r - f).mean(axis=(1, 2, 3)) / np.abs(r).mean(axis=(1, 2, 3))
    return scores / sum(weights)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0), (0.0, 2.0)])
def test_equals_the_formula(weights):
    real, fake = _features(0), _features(1)
    expected = _by_hand(real, fake, weights or (1.0, 1.0))
    np.testing.assert_allclose(RelativePerceptualL1Loss(weights, "none")(real, fake), expected, rtol=1e-5)
    np.testing.assert_allclose(RelativePerceptualL1Loss(weights)(real, fake), expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("size", [None, (8, 8), (32, 32), (12, 20)])
def test_mean_of_the_map_is_the_score(size):
    real, fake = _features(0), _features(1)
    result = RelativePerceptualL1Loss((1.0, 3.0), "map", map_size=size)(real, fake)
    assert result.shape == (3, 1, *(size or (8, 8)))
    np.testing.assert_allclose(result.mean(dim=(1, 2, 3)), _by_hand(real, fake, (1.0, 3.0)), rtol=1e-5)


def test_map_of_one_layer_at_its_own_size_is_the_distance_of_each_position():
    real, fake = _features(0)[:1], _features(1)[:1]
    result = RelativePerceptualL1Loss(reduction="map")(real, fake)
    expected = (real[0] - fake[0]).abs().mean(dim=1) / real[0].abs().mean(dim=(1, 2, 3))[:, None, None]
    torch.testing.assert_close(result[:, 0], expected)


def test_bilinear_upsampling_by_an_integer_factor_needs_next_to_no_correction():
    real, fake = [_features(0)[1]], [_features(1)[1]]
    small = relative_distance_map(real, fake, [1.0], [4, 4])
    upsampled = F.interpolate(small, size=[32, 32], mode="bilinear", align_corners=False)
    torch.testing.assert_close(relative_distance_map(real, fake, [1.0], [32, 32]), upsampled, rtol=1e-5, atol=1e-6)


def test_denominator_has_no_gradient():
    real, fake = [torch.randn(2, 3, 2, 2, requires_grad=True)], [torch.randn(2, 3, 2, 2)]
    RelativePerceptualL1Loss()(real, fake).backward()
    scale = real[0].detach().abs().mean(dim=(1, 2, 3), keepdim=True)
    expected = torch.sign(real[0].detach() - fake[0]) / scale / 12 / 2
    torch.testing.assert_close(real[0].grad, expected)


def test_gradient_agrees_with_finite_differences():
    real, fake = _features(0, 2), [f.double().requires_grad_() for f in _features(1, 2)]

    def loss(*parts):  # the loss itself computes in float32, too coarse for differences
        shares = (0.25, 0.75)
        return sum(
            share * ((r.double() - f).abs().mean(dim=(1, 2, 3)) / r.double().abs().mean(dim=(1, 2, 3))).mean()
            for share, r, f in zip(shares, real, parts, strict=True)
        )

    assert torch.autograd.gradcheck(loss, fake)
    expected = torch.autograd.grad(loss(*fake), fake)
    result = torch.autograd.grad(RelativePerceptualL1Loss((1.0, 3.0))(real, fake), fake)
    for a, b in zip(result, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)


def test_features_of_zero_do_not_divide_by_zero():
    real, fake = [torch.zeros(2, 3, 4, 4)], [torch.zeros(2, 3, 4, 4)]
    assert RelativePerceptualL1Loss()(real, fake) == 0.0
    fake[0] += 1e-7
    assert float(RelativePerceptualL1Loss()(real, fake)) == pytest.approx(0.1)


def test_half_precision_is_computed_in_float32():
    real, fake = [f.half() for f in _features(0)], [f.half() for f in _features(1)]
    result = RelativePerceptualL1Loss()(real, fake)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, _by_hand(real, fake, (1.0, 1.0)).mean(), rtol=1e-5)


def test_refuses_what_does_not_match():
    real = _features()
    with pytest.raises(ValueError, match="same layers, got 2 and 1"):
        RelativePerceptualL1Loss()(real, real[:1])
    with pytest.raises(ValueError, match="in layer 1"):
        RelativePerceptualL1Loss()(real, [real[0], real[1][:, :2]])
    with pytest.raises(ValueError, match="one number per feature layer"):
        RelativePerceptualL1Loss((1.0,))(real, real)
    with pytest.raises(ValueError, match="reduction"):
        RelativePerceptualL1Loss(reduction="sum")
    with pytest.raises(ValueError, match="non-negative"):
        RelativePerceptualL1Loss((1.0, float("nan")))
