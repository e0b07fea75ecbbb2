# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.instance_norm import InstanceNorm

FORMATS = [torch.contiguous_format, torch.channels_last]


def _norm(channels=3, **options):
    torch.manual_seed(0)
    norm = InstanceNorm(channels, **options)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def _map(*shape, seed=1):
    return 3.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + 2.0


def _by_hand(norm, x):
    """One channel of one image after the other."""
    result = torch.empty_like(x)
    for image in range(x.shape[0]):
        for channel in range(x.shape[1]):
            values = x[image, channel]
            mean = values.sum() / values.numel()
            variance = (values - mean).square().sum() / values.numel()
            z = (values - mean) / (variance + norm.eps).sqrt()
            result[image, channel] = z if norm.weight is None else norm.weight[channel] * z + norm.bias[channel]
    return result


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 3, 1, 2), (3, 1, 4, 4)])
def test_is_the_plain_form_in_value_and_gradient(shape, affine, memory_format):
    norm, exact = (_norm(shape[1], affine=affine) for _ in range(2))
    exact.double()
    x = _map(*shape).contiguous(memory_format=memory_format).requires_grad_()
    upstream = _map(*shape, seed=2)
    answer, expected = norm(x), _by_hand(exact, x.double())
    torch.testing.assert_close(answer.double(), expected, atol=1e-5, rtol=1e-5)
    gradients = torch.autograd.grad(answer, [x, *norm.parameters()], upstream)
    wanted = torch.autograd.grad(expected, [x, *exact.parameters()], upstream.double())
    for gradient, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), other.double(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_keeps_the_memory_format(memory_format):
    x = _map(2, 3, 4, 5).contiguous(memory_format=memory_format)
    result = _norm()(x)
    assert result.stride() == x.stride()
    torch.testing.assert_close(result, _norm()(x.contiguous()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_float32_statistics(dtype):
    x = (_map(2, 3, 16, 16) + 100.0).to(dtype)
    result = _norm()(x)
    assert result.dtype == dtype
    assert torch.equal(result, _norm()(x.float()).to(dtype))


def test_float64_stays_float64():
    x = _map(2, 3, 4, 4).double() * 1e-3 + 1e6  # in float32 nothing would be left of it
    norm = _norm().double()
    torch.testing.assert_close(norm(x), _by_hand(norm, x))


@torch.no_grad()
def test_training_is_evaluation_and_the_batch_does_not_matter():
    norm, x = _norm().train(), _map(5, 3, 4, 4)
    whole = norm(x)
    torch.testing.assert_close(torch.cat([norm(x[:2]), norm(x[2:])]), whole)
    assert torch.equal(norm.eval()(x), whole)


def test_starts_without_effect_and_holds_its_parameters_only():
    x = _map(2, 3, 4, 4)
    norm, plain = InstanceNorm(3), InstanceNorm(3, affine=False)
    torch.testing.assert_close(norm(x), plain(x), rtol=0.0, atol=1e-6)
    assert sorted(norm.state_dict()) == ["bias", "weight"]
    assert not plain.state_dict()


@pytest.mark.parametrize("affine", [True, False])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(affine):
    norm, x = _norm(affine=affine), _map(2, 3, 4, 4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(norm)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(norm, x)
    torch.testing.assert_close(scripted(x), norm(x))
    torch.testing.assert_close(traced(x + x.square()), norm(x + x.square()))
    with pytest.raises(torch.jit.Error, match="more than one position"):
        scripted(x[:, :, :1, :1])


def test_a_single_position_is_refused():
    with pytest.raises(ValueError, match=r"more than one position, got \[2, 3, 1, 1\]; use larger images"):
        _norm()(torch.zeros(2, 3, 1, 1))


def test_maps_of_one_image_share_mean_and_deviation():
    torch.manual_seed(0)
    x = torch.randn(6, 5, 3, 4) * torch.arange(1, 7)[:, None, None, None]
    norm = InstanceNorm(5, maps=3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    expected = torch.empty_like(x)
    for image in range(2):
        part = slice(3 * image, 3 * image + 3)
        for channel in range(5):
            values = x[part, channel]
            unit = (values - values.mean()) / (values.var(correction=0) + norm.eps).sqrt()
            expected[part, channel] = unit * norm.weight[channel] + norm.bias[channel]
    torch.testing.assert_close(norm(x), expected)
    last = norm(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(torch.jit.script(norm)(x), norm(x))


def test_maps_that_are_no_whole_images_are_refused():
    with pytest.raises(ValueError, match="must hold 4 maps for each image, got 6 in all"):
        InstanceNorm(2, maps=4)(torch.rand(6, 2, 3, 3))
    with pytest.raises(ValueError, match="maps must be positive, got 0"):
        InstanceNorm(2, maps=0)
