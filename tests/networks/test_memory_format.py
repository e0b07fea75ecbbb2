# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import nn

from monai_anomaly.networks.memory_format import aligned, place


class Contiguous(nn.Sequential):
    memory_format = torch.contiguous_format


def test_a_part_may_name_its_own_order_in_memory():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), Contiguous(nn.Conv2d(3, 4, 3), nn.Linear(2, 2)))
    network[1].to(memory_format=torch.channels_last)  # as a whole objective is before
    values = {name: value.clone() for name, value in network.state_dict().items()}
    assert place(network, "cpu") is network
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last) and not network[0].weight.is_contiguous()
    assert network[1][0].weight.is_contiguous()
    assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())


def test_loaded_weights_lie_as_those_before():
    network = place(nn.Sequential(nn.Conv2d(3, 4, 3), Contiguous(nn.Conv2d(3, 4, 3))), "cpu")
    other = nn.Sequential(nn.Conv2d(3, 4, 3), Contiguous(nn.Conv2d(3, 4, 3))).to(memory_format=torch.channels_last)
    strides = [p.stride() for p in network.parameters()]
    network.load_state_dict(other.state_dict())
    assert [p.stride() for p in network.parameters()] == strides


def test_what_lies_otherwise_is_copied_and_the_rest_is_not():
    weight = torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last)
    gradient = torch.rand(4, 3, 2, 2)
    result = aligned(gradient, weight)
    assert result.stride() == weight.stride() and torch.equal(result, gradient)
    assert aligned(result, weight) is result
    step = torch.tensor(3.0)
    assert aligned(step, weight) is step
