# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_anomaly.networks.blocks.small_map_conv import SmallMapConv2d


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [(4, 2, 1, (4, 4)), (4, 2, 1, (2, 2)), (3, 1, 1, (2, 4)), (3, 2, 0, (5, 7))],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_convolution_with_first_and_second_derivatives(kernel, stride, padding, size, memory_format):
    torch.manual_seed(0)
    conv = SmallMapConv2d(3, 5, kernel, stride=stride, padding=padding).double().to(memory_format=memory_format)
    x = torch.rand(2, 3, *size, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()

    def derivatives(y):
        (gradient,) = torch.autograd.grad(y.tanh().sum(), x, create_graph=True)
        return y, gradient, *torch.autograd.grad(gradient.square().sum(), list(conv.parameters()))

    expected = derivatives(F.conv2d(x, conv.weight, conv.bias, stride=stride, padding=padding))
    for ours, theirs in zip(derivatives(conv(x)), expected, strict=True):
        assert theirs.any()
        torch.testing.assert_close(ours, theirs)
