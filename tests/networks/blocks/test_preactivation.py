# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_anomaly.networks.blocks.minibatch_stddev import MinibatchStdDev
from monai_anomaly.networks.blocks.preactivation import PreActivationBlock, PreActivationDown, PreActivationUp


def _branch(block, h):
    h = F.conv2d(h, block.conv1.weight, block.conv1.bias, padding=1)
    h = torch.where(h > 0, h, 0.2 * h)
    return F.conv2d(h, block.conv2.weight, block.conv2.bias, padding=1)


def _leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


def _pool(x):
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def _double(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(2, 3, 8, 8)


@pytest.mark.parametrize("out_channels", [3, 5])
def test_block_adds_its_input(x, out_channels):
    block = PreActivationBlock(3, out_channels)
    torch.testing.assert_close(block(x), _branch(block, _leaky(x)) + block.skip(x))


@pytest.mark.parametrize("out_channels", [3, 5])
def test_down_pools_before_the_convolutions(x, out_channels):
    block = PreActivationDown(3, out_channels)
    torch.testing.assert_close(block(x), _branch(block, _pool(_leaky(x))) + block.skip(_pool(x)))


@pytest.mark.parametrize("out_channels", [3, 5])
def test_down_of_the_paper_pools_after_everything(x, out_channels):
    block = PreActivationDown(3, out_channels, pool_first=False)
    torch.testing.assert_close(block(x), _pool(_branch(block, _leaky(x)) + block.skip(x)))


@pytest.mark.parametrize("out_channels", [3, 5])
def test_up_doubles_before_the_convolutions(x, out_channels):
    block = PreActivationUp(3, out_channels)
    torch.testing.assert_close(block(x), _branch(block, _double(_leaky(x))) + block.skip(_double(x)))


def test_skip_has_parameters_only_where_the_width_changes():
    assert not list(PreActivationUp(4, 4).skip.parameters())
    assert sum(p.numel() for p in PreActivationUp(4, 6).skip.parameters()) == 4 * 6 + 6


def test_minibatch_stddev_appends_the_mean_deviation(x):
    result = MinibatchStdDev()(x)
    expected = x.numpy().std(axis=0).mean()  # population deviation
    torch.testing.assert_close(result[:, :3], x)
    torch.testing.assert_close(result[:, 3:], torch.full((2, 1, 8, 8), float(expected)))


def test_minibatch_stddev_has_a_finite_gradient_for_one_sample():
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    MinibatchStdDev()(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
