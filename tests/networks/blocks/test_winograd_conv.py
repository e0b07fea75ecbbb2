# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.winograd_conv import WinogradConv2d


def _conv(in_channels=128, out_channels=136, *, bias=True) -> WinogradConv2d:
    torch.manual_seed(0)
    return WinogradConv2d(in_channels, out_channels, bias=bias)


def _is_plain(conv, x) -> bool:
    return torch.equal(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (8, 8), (4, 12), (16, 8)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_convolution_with_its_derivatives(size, memory_format, bias):
    conv = _conv(bias=bias).to(memory_format=memory_format)
    x = torch.randn(32 if max(size) > 4 else 64, 128, *size).to(memory_format=memory_format).requires_grad_()
    away = torch.randn(len(x), 136, *size)
    wide = x.detach().double().requires_grad_()
    weights = [p.detach().double().requires_grad_() for p in conv.parameters()]
    expected = F.conv2d(wide, *weights, padding=1)
    theirs = torch.autograd.grad((expected * away).sum(), [wide, *weights])
    result = conv(x)
    assert not torch.equal(result, F.conv2d(x, conv.weight, conv.bias, padding=1))  # so it was by tiles
    ours = torch.autograd.grad((result * away).sum(), [x, *conv.parameters()])
    for a, b in zip((result, *ours), (expected, *theirs), strict=True):
        assert (a - b).abs().max() < 5e-5 * b.abs().max()


@pytest.mark.parametrize(
    "shape",
    [(64, 128, 4, 6), (64, 128, 2, 2), (8, 128, 4, 4), (2, 128, 4, 36)],
    ids=["no tiles", "no tile", "too few", "large"],
)
def test_what_makes_no_tiles_is_the_plain_convolution(shape):
    assert _is_plain(_conv(), torch.randn(shape))


@pytest.mark.parametrize("channels", [(128, 64), (64, 128)])
def test_narrow_layers_are_the_plain_convolution(channels):
    assert _is_plain(_conv(*channels), torch.randn(64, channels[0], 4, 4))


@torch.no_grad()
def test_evaluation_and_other_types_are_the_plain_convolution():
    conv, x = _conv(), torch.randn(64, 128, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert _is_plain(conv, x)
    assert _is_plain(conv.eval(), x)
    assert _is_plain(conv.train().double(), x.double())


@torch.no_grad()
def test_scripted_and_with_the_state_of_the_plain_convolution():
    plain, conv, x = nn.Conv2d(128, 136, 3, padding=1), _conv(), torch.randn(64, 128, 4, 4)
    conv.load_state_dict(plain.state_dict())
    assert torch.equal(torch.jit.script(conv)(x), plain(x))
    assert torch.equal(torch.jit.script(conv.eval())(x), plain(x))


def test_in_place_of_a_convolution_it_has_its_parameters_and_draws_nothing():
    plain = nn.Conv2d(128, 136, 3, padding=1)
    state = torch.random.get_rng_state()
    conv = WinogradConv2d.in_place_of(plain)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert conv.weight is plain.weight and conv.bias is plain.bias
    assert all(p.device.type == "cpu" for p in conv.parameters())
    assert WinogradConv2d.in_place_of(nn.Conv2d(4, 4, 3, padding=1, bias=False)).bias is None
