# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.residual_double_conv import ResidualDoubleConv


def _block(stride=1):
    """A block in evaluation mode whose normalizations are not the identity."""
    torch.manual_seed(0)
    block = ResidualDoubleConv(3, 5, stride=stride)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(0.5, 2.0)
            for values in (module.bias.data, module.running_mean):
                values.normal_()
    return block.eval()


def _layers(block, kind):
    return [m for m in block.modules() if isinstance(m, kind)]


@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_adds_the_second_and_third_convolution_to_the_first(stride):
    block, x = _block(stride), torch.randn(2, 3, 8, 6)
    convs, norms = _layers(block, nn.Conv2d), _layers(block, nn.BatchNorm2d)
    assert len(convs) == len(norms) == 3

    def layer(i, h):
        h = F.conv2d(h, convs[i].weight, convs[i].bias, stride=stride if i == 0 else 1, padding=1)
        n, shape = norms[i], (1, 5, 1, 1)
        h = (h - n.running_mean.view(shape)) / (n.running_var.view(shape) + 1e-5).sqrt()
        return h * n.weight.view(shape) + n.bias.view(shape)

    first = layer(0, x).clamp(min=0)
    expected = (layer(2, layer(1, first).clamp(min=0)) + first).clamp(min=0)
    assert expected.shape == (2, 5, 8 // stride, 6 // stride)
    torch.testing.assert_close(block(x), expected)


def test_every_convolution_has_a_bias():
    count = sum(p.numel() for p in ResidualDoubleConv(3, 5).parameters())
    assert count == (9 * 3 * 5 + 5) + 2 * (9 * 5 * 5 + 5) + 3 * 2 * 5


@torch.no_grad()
def test_torchscript():
    block, x = _block(2), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(torch.jit.script(block)(x), block(x))
