# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

from monai_anomaly.networks.blocks.gaussian_descriptor import GaussianDescriptor, saturating
from tests.helpers.onnx_runs import run_as_onnx

D = 3


def _latents(count=40, *size, seed=0, channels=D):
    draw = torch.Generator().manual_seed(seed)
    scale = (1.0 + torch.arange(channels) % 3).reshape(-1, *[1] * len(size))
    return scale * (torch.randn(count, channels, *size, generator=draw) + 2.0)


def _fitted(latents=None, **options):
    latents = _latents() if latents is None else latents
    descriptor = GaussianDescriptor(latents.shape[1], **options)
    descriptor.fit(latents)
    return descriptor


def _rows(latents):
    """Latents or maps of them to a list of latents."""
    return latents.movedim(1, -1).reshape(-1, latents.shape[1]).tolist()


def _fit_by_hand(latents, spread, floor, relative_floor):
    """Number by number in Python's float: the center from all latents, then the spread about it."""
    rows = _rows(latents)
    channels = range(len(rows[0]))
    center = [math.fsum(row[k] for row in rows) / len(rows) for k in channels]
    variance = [math.fsum((row[k] - center[k]) ** 2 for row in rows) / len(rows) for k in channels]
    if spread == "scalar":
        radius = math.fsum((row[k] - center[k]) ** 2 for row in rows for k in channels) / len(rows)
        variance = [radius / len(channels)] * len(channels)
    least = max(floor, relative_floor * math.fsum(variance) / len(variance))
    return center, [max(v, least) for v in variance]


def _distance_by_hand(latents, center, variance):
    rows = _rows(latents)
    return [sum((z - c) ** 2 / v for z, c, v in zip(row, center, variance, strict=True)) / len(row) for row in rows]


@pytest.mark.parametrize("size", [(), (2, 3)])
@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
@pytest.mark.parametrize("count", [2, 300])  # the second goes in two parts
def test_fit_and_distance_equal_the_loop(count, spread, size):
    latents = _latents(count, *size)
    descriptor = _fitted(latents, spread=spread)
    descriptor.fit(latents + 50.0)  # what it was before does not count: the spread is about the new center
    descriptor.fit(latents)
    center, variance = _fit_by_hand(latents, spread, 1e-4, 0.01)
    torch.testing.assert_close(descriptor.center, torch.tensor(center))
    torch.testing.assert_close(descriptor.variance, torch.tensor(variance))
    new = _latents(4, *size, seed=1)
    expected = torch.tensor(_distance_by_hand(new, center, variance)).reshape(4, *size)
    distance = descriptor(new)
    assert distance.dtype == torch.float32
    torch.testing.assert_close(distance, expected)


@pytest.mark.parametrize("channels", [1, 3, 200])
@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
def test_distance_of_the_normals_is_1_on_average(spread, channels):
    latents = _latents(50, channels=channels)
    assert float(_fitted(latents, spread=spread)(latents).mean()) == pytest.approx(1.0, rel=1e-5)


def test_spread_needs_float64():
    latents = _latents(1000) + 1e6
    exact = latents.double().var(dim=0, correction=0)
    torch.testing.assert_close(_fitted(latents).variance.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
def test_distance_is_0_at_the_center_and_grows_away_from_it(spread):
    descriptor = _fitted(spread=spread)
    assert descriptor(descriptor.center[None]).item() == 0.0
    direction = torch.tensor([0.3, -1.0, 0.5])
    distance = descriptor(descriptor.center + torch.linspace(0, 5, 200)[:, None] * direction)
    assert (distance.diff() > 0).all()
    assert (saturating(distance).diff() > 0).all()


def test_starts_as_a_standard_normal():
    z = _latents(5)
    torch.testing.assert_close(GaussianDescriptor(D)(z), z.square().mean(dim=1))


@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
def test_gradient_of_the_loss_is_that_of_finite_differences(spread):
    descriptor = _fitted(spread=spread)
    z = _latents(4, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(saturating(descriptor(z)).mean(), z)
    center, variance = descriptor.center.double().numpy(), descriptor.variance.double().numpy()

    def loss(latents):
        return np.mean(1.0 - np.exp(-np.mean((latents - center) ** 2 / variance, axis=1)))

    at, step = z.detach().double().numpy(), 1e-5
    for i, k in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[i, k] = step
        expected = (loss(at + shift) - loss(at - shift)) / (2 * step)
        assert float(gradient[i, k]) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_the_pull_is_largest_at_a_distance_of_one_half():
    descriptor = _fitted(spread="scalar")
    direction = nn.functional.normalize(torch.tensor([1.0, 2.0, -1.0]), dim=0)
    radius = torch.linspace(0.01, 20, 20_000, requires_grad=True)
    distance = descriptor(descriptor.center + radius[:, None] * direction)
    (pull,) = torch.autograd.grad(saturating(distance).sum(), radius)
    assert float(distance[pull.argmax()].detach()) == pytest.approx(0.5, abs=5e-3)
    assert 0 <= float(pull[-1]) < 1e-3 * float(pull.max())  # a far latent is hardly pulled


def test_saturating_is_exact_where_the_distance_is_small_and_finite_where_it_is_large():
    distance = torch.tensor([0.0, 1e-9, 0.5, 3e38, math.inf])
    assert saturating(distance).tolist() == pytest.approx([0.0, 1e-9, 1 - math.exp(-0.5), 1.0, 1.0], rel=1e-6)
    assert saturating(torch.tensor([0.5], dtype=torch.bfloat16)).dtype == torch.float32


def test_distance_ranks_far_outliers_that_saturating_ties():
    descriptor = _fitted()
    far = descriptor.center + torch.tensor([20.0, 50.0, 1e4, 1e8])[:, None] * descriptor.variance.sqrt()
    distance = descriptor(far)
    assert saturating(distance).tolist() == [1.0] * 4
    assert (distance.diff() > 0).all() and distance.isfinite().all()


@pytest.mark.parametrize("size", [1e-6, 0.0])
@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
def test_an_encoder_that_collapses_gains_nothing_below_the_floor(spread, size):
    latents = 1.0 + size * (_latents(seed=1) - 2.0)
    descriptor = _fitted(latents, spread=spread)
    assert descriptor.variance.tolist() == pytest.approx([1e-4] * D)
    z = latents.clone().requires_grad_()
    distance = descriptor(z)
    (gradient,) = torch.autograd.grad(saturating(distance).mean(), z)
    assert distance.isfinite().all() and gradient.isfinite().all() and float(distance.max()) < 1e-4


def test_a_dead_channel_does_not_outweigh_the_others():
    latents = _latents()
    latents[:, 0] = 5.0
    descriptor = _fitted(latents)
    mean = float(latents.double().var(dim=0, correction=0).mean())
    assert float(descriptor.variance[0]) == pytest.approx(0.01 * mean)
    assert float(_fitted(latents, relative_floor=0.0).variance[0]) == pytest.approx(1e-4)
    assert float(_fitted(latents, floor=3.0).variance[0]) == 3.0


@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
def test_a_contaminated_fit_is_finite(spread):
    latents = _latents()
    latents[::10] *= 1e6
    descriptor = _fitted(latents, spread=spread)
    distance = descriptor(latents)
    assert descriptor.variance.isfinite().all() and distance.isfinite().all()
    assert distance[::10].min() > distance[1::10].max()


def test_fit_takes_no_gradient_and_what_it_found_is_in_the_state_dict():
    latents = _latents().requires_grad_()
    descriptor, other = _fitted(latents), GaussianDescriptor(D)
    assert not list(descriptor.parameters()) and not descriptor.variance.requires_grad
    other.load_state_dict(descriptor.state_dict())
    assert set(descriptor.state_dict()) == {"center", "variance", "axes"}
    assert torch.equal(other(latents), descriptor(latents))


@pytest.mark.parametrize("size", [(), (2, 3)])
def test_float32_under_autocast_and_from_bfloat16(size):
    latents = _latents(20, *size)
    expected = _fitted(latents)(latents)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        descriptor = _fitted(latents)
        assert torch.equal(descriptor(latents), expected)
        distance = descriptor(latents.bfloat16())
    assert distance.dtype == torch.float32
    torch.testing.assert_close(distance, descriptor(latents.bfloat16().float()))
    assert descriptor(latents.double()).dtype == torch.float32


class _Loss(nn.Module):
    """Both parts, as a detector calls them."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return saturating(self.descriptor(latent))


@pytest.mark.parametrize("size", [(), (2, 3)])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(size):
    latents = _latents(5, *size)
    loss = _Loss(_fitted()).eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        scripted = torch.jit.script(loss)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(loss, latents[:2], check_trace=False)
    for run in (scripted, traced):
        torch.testing.assert_close(run(latents), loss(latents))
    with pytest.raises(torch.jit.Error, match="latents must have shape"):
        scripted(latents[:, :2])


@torch.no_grad()
def test_onnx_gives_the_same_for_any_batch(tmp_path):
    latents = _latents(5, 2, 3)
    loss = _Loss(_fitted()).eval()
    (result,) = run_as_onnx(loss, latents, folder=tmp_path)
    torch.testing.assert_close(result, loss(latents), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("options", "message"), [
    ({"channels": 0}, "channels must be at least 1, got 0"),
    ({"spread": "round"}, "spread must be one of 'diagonal', 'scalar', 'full', got 'round'"),
    ({"floor": 0.0}, "floor must be positive, got 0.0"),
    ({"floor": math.nan}, "floor must be positive, got nan"),
    ({"relative_floor": -0.1}, r"relative_floor must lie in \[0, 1\), got -0.1"),
    ({"relative_floor": 1.0}, r"relative_floor must lie in \[0, 1\), got 1.0"),
])  # fmt: skip
def test_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianDescriptor(**{"channels": D, **options})


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3, 3), (2, 3, 3), (3,)])
def test_refuses_latents_of_another_shape(shape):
    message = r"latents must have shape \(B, 3\) or \(B, 3, h, w\), got \["
    with pytest.raises(ValueError, match=message):
        GaussianDescriptor(D)(torch.zeros(shape))
    with pytest.raises(ValueError, match=message):
        GaussianDescriptor(D).fit(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(0, D), (1, D), (1, D, 1, 1), (0, D, 2, 2)])
def test_refuses_fewer_than_2_latents(shape):
    count = math.prod(shape) // D
    with pytest.raises(ValueError, match=f"needs at least 2 latents of training normals, got {count}"):
        GaussianDescriptor(D).fit(torch.zeros(shape))


@pytest.mark.parametrize("spread", ["diagonal", "scalar"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_refuses_latents_that_are_not_finite_and_stays_as_it_was(value, spread):
    descriptor = _fitted(spread=spread)
    before = {name: tensor.clone() for name, tensor in descriptor.state_dict().items()}
    latents = _latents()
    latents[7, 1] = value
    with pytest.raises(ValueError, match="latents must be finite"):
        descriptor.fit(latents)
    assert all(torch.equal(tensor, before[name]) for name, tensor in descriptor.state_dict().items())


def correlated(count: int, channels: int = 5) -> Tensor:
    """Latents whose channels vary together."""
    generator = torch.Generator().manual_seed(4)
    mixing = torch.randn(channels, channels, generator=generator)
    return torch.randn(count, channels, generator=generator) @ mixing + 3.0


def test_full_spread_is_the_mahalanobis_distance_of_scikit_learn():
    latents, others = correlated(400), correlated(7) * 2.0
    descriptor = GaussianDescriptor(5, spread="full", relative_floor=0.0)
    descriptor.fit(latents)
    expected = LedoitWolf().fit(latents.double().numpy()).mahalanobis(others.double().numpy()) / 5
    np.testing.assert_allclose(descriptor(others).numpy(), expected, rtol=1e-4)


def test_full_spread_holds_with_fewer_normals_than_channels():
    latents = correlated(6, 16)
    descriptor = GaussianDescriptor(16, spread="full")
    descriptor.fit(latents)
    assert bool(descriptor.variance.min() > 0.0)
    assert bool(descriptor(latents).isfinite().all())
    assert bool((descriptor(latents * 10.0) > descriptor(latents)).all())


def test_full_spread_of_maps_is_that_of_their_positions():
    maps = correlated(24).reshape(2, 3, 4, 5).movedim(3, 1)
    descriptor, flat = GaussianDescriptor(5, spread="full"), GaussianDescriptor(5, spread="full")
    descriptor.fit(maps)
    flat.fit(maps.movedim(1, 3).reshape(-1, 5))
    torch.testing.assert_close(descriptor(maps).flatten(), flat(maps.movedim(1, 3).reshape(-1, 5)))


def test_full_spread_scripts_and_is_float32_under_autocast():
    descriptor = GaussianDescriptor(5, spread="full")
    descriptor.fit(correlated(50))
    latents = correlated(3)
    expected = descriptor(latents)
    torch.testing.assert_close(torch.jit.script(descriptor)(latents), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(descriptor(latents), expected)
