# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.squeeze_excitation import SqueezeExcitation


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(64, 8, 8), (4, 8, 1), (12, 5, 2)])
def test_has_two_linear_layers_without_bias_and_at_least_one_hidden_unit(channels, reduction, hidden):
    block = SqueezeExcitation(channels, reduction)
    shapes = sorted(tuple(p.shape) for p in block.parameters())
    assert shapes == sorted([(hidden, channels), (channels, hidden)])


def test_equals_the_formula_channel_by_channel():
    torch.manual_seed(0)
    block, x = SqueezeExcitation(8, 2), torch.randn(3, 8, 5, 4)
    first, second = block.squeeze.weight, block.excite.weight
    for sample, result in zip(x, block(x), strict=True):
        means = torch.stack([channel.sum() / 20 for channel in sample])
        gates = 1 / (1 + torch.exp(-(second @ torch.clamp(first @ means, min=0))))
        expected = torch.stack([channel * gate for channel, gate in zip(sample, gates, strict=True)])
        torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("gate_init", [0.1, 0.5, 0.95])
def test_gate_starts_at_gate_init(gate_init):
    block = SqueezeExcitation(16, gate_init=gate_init)
    torch.nn.init.zeros_(block.excite.weight)
    x = torch.randn(2, 16, 3, 3)
    torch.testing.assert_close(block(x), gate_init * x)


@pytest.mark.parametrize("arguments", [{"channels": 0}, {"channels": 8, "reduction": 0}])
def test_refuses_counts_below_one(arguments):
    with pytest.raises(ValueError, match="at least 1"):
        SqueezeExcitation(**arguments)


@pytest.mark.parametrize("gate_init", [0.0, 1.0, -1.0, float("nan")])
def test_refuses_a_gate_outside_the_open_interval(gate_init):
    with pytest.raises(ValueError, match="gate_init"):
        SqueezeExcitation(8, gate_init=gate_init)
