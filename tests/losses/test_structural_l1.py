# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from monai_anomaly.losses.structural_l1 import StructuralL1Loss


def _pair(size=24, seed=0, channels=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(2, channels, size, size, generator=generator)
    return x, (0.7 * x + 0.3 * torch.rand(x.shape, generator=generator))


def _by_hand(x, y, weight, data_range):
    """One level, in NumPy and float64."""
    losses = []
    for a, b in zip(x.double().numpy(), y.double().numpy(), strict=True):
        _, similarity = structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=data_range,
            channel_axis=0,
            full=True,
        )
        structure = 1.0 - similarity[:, 5:-5, 5:-5].mean()
        losses.append(weight * structure + (1.0 - weight) * np.abs(a - b).mean() / data_range)
    return np.mean(losses)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.85, 1.0])
@pytest.mark.parametrize("data_range", [1.0, 4.5])
def test_equals_the_formula(weight, data_range):
    x, y = (data_range * image for image in _pair())
    loss = StructuralL1Loss(24, data_range=data_range, structure_weight=weight, levels=1)(x, y)
    assert loss.shape == () and loss.dtype == torch.float32
    assert float(loss) == pytest.approx(_by_hand(x, y, weight, data_range), rel=1e-5)


def test_published_weights_are_the_default_and_window_and_levels_are_passed_on():
    x, y = _pair(32)
    assert float(StructuralL1Loss(32, levels=1)(x, y)) == pytest.approx(_by_hand(x, y, 0.85, 1.0), rel=1e-5)
    loss = StructuralL1Loss(32, window=5, sigma=0.9)
    assert (loss.similarity.window, loss.similarity.levels) == (5, 3)
    expected = 0.85 * (1.0 - loss.similarity(x, y).mean()) + 0.15 * (x - y).abs().mean()
    torch.testing.assert_close(loss(x, y), expected)


@pytest.mark.parametrize("flat", [False, True])
def test_equal_images_have_no_loss_and_a_finite_gradient(flat):
    x = torch.full((2, 3, 32, 32), 0.4) if flat else _pair(32)[0]
    y = x.clone().requires_grad_()
    loss = StructuralL1Loss(32)(y, x)
    loss.backward()
    assert float(loss) == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(y.grad).all()


@pytest.mark.parametrize("image", ["negative", "constant", "black"])
def test_gradient_is_finite_and_leads_down_however_unlike_the_images_are(image):
    x, _ = _pair(32)
    start = {"negative": 1.0 - x, "constant": torch.full_like(x, 0.5), "black": torch.zeros_like(x)}[image]
    y = start.clone().requires_grad_()
    loss = StructuralL1Loss(32)
    before = loss(y, x)
    before.backward()
    assert torch.isfinite(y.grad).all() and y.grad.any()
    with torch.no_grad():
        assert loss(y - 1e-3 * y.grad / y.grad.abs().max(), x) < before


def test_does_not_change_under_autocast_and_torchscript():
    loss, (x, y) = StructuralL1Loss(24), _pair()
    expected = loss(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(x, y), expected)
    torch.testing.assert_close(torch.jit.script(loss)(x, y), expected)
    half = loss(x.half(), y.half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(x.half().float(), y.half().float()))


def test_refuses_arguments_out_of_range_and_other_shapes():
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"structure_weight must lie in \[0, 1\]"):
            StructuralL1Loss(24, structure_weight=weight)
    with pytest.raises(ValueError, match="data_range and sigma must be positive"):
        StructuralL1Loss(24, data_range=0.0)
    with pytest.raises(ValueError, match="must both be"):
        StructuralL1Loss(24)(_pair(32)[0], _pair(32)[1])
