# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.attention_gate import GATE_NORMS, AttentionGate

C, INNER = 6, 4


def _gate(norm="none", std=0.5):
    torch.manual_seed(0)
    gate = AttentionGate(C, INNER, norm=norm)
    for parameter in gate.parameters():
        nn.init.normal_(parameter, std=std)
    return gate


def _maps(batch=3, height=8, width=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, C, height, width, generator=generator) for _ in range(2))


def _standardized(x):
    mean = x.mean(dim=(1, 2), keepdim=True)
    return (x - mean) / ((x - mean).square().mean(dim=(1, 2), keepdim=True) + 1e-5).sqrt()


def _pointwise(conv, x):
    """A 1x1 convolution, position by position."""
    result = torch.stack(
        [torch.stack([conv.weight[:, :, 0, 0] @ x[:, i, j] for j in range(x.shape[2])], 1) for i in range(x.shape[1])],
        1,
    )
    return result if conv.bias is None else result + conv.bias[:, None, None]


def _by_hand(gate, signal, skip, published):
    """The attention, one image after the other."""
    answers = []
    for g, s in zip(signal, skip, strict=True):
        h = (_standardized(_pointwise(gate.gate, g)) + _standardized(_pointwise(gate.skip, s))).clamp(min=0)
        logit = _pointwise(gate.psi, h)
        answers.append(1 / (1 + (-(_standardized(logit) if published else logit)).exp()))
    return torch.stack(answers)


@pytest.mark.parametrize("norm", GATE_NORMS)
def test_is_the_plain_form_in_value_and_gradient(norm):
    gate, exact = _gate(norm), _gate(norm).double()
    signal, skip = (x.requires_grad_() for x in _maps(2, 4, 3))
    attention = _by_hand(exact, signal.double(), skip.double(), norm == "instance")
    torch.testing.assert_close(gate.attention(signal, skip).double(), attention, atol=1e-5, rtol=1e-4)
    answer, expected = gate(signal, skip), skip.double() * attention
    torch.testing.assert_close(answer.double(), expected, atol=1e-5, rtol=1e-4)
    (upstream,) = _maps(2, 4, 3, seed=2)[:1]
    gradients = torch.autograd.grad(answer, [signal, skip, gate.psi.weight], upstream)
    wanted = torch.autograd.grad(expected, [signal, skip, exact.psi.weight], upstream.double())
    for gradient, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), other.double(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("channels", "parameters"), [(512, 262_913), (256, 65_921), (128, 16_577)])
def test_published_gate_has_the_published_parameters(channels, parameters):
    with torch.device("meta"):
        gate = AttentionGate(channels, channels // 2, norm="instance")
    assert sum(p.numel() for p in gate.parameters()) == parameters


@torch.no_grad()
def test_can_open_and_close_wholly_without_the_last_norm():
    signal, skip = _maps()
    gate = _gate()
    gate.psi.weight.zero_()
    gate.psi.bias.fill_(20.0)
    torch.testing.assert_close(gate(signal, skip), skip)
    gate.psi.bias.fill_(-20.0)
    torch.testing.assert_close(gate(signal, skip), torch.zeros_like(skip), atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("bias", [-20.0, 20.0])
@torch.no_grad()
def test_mean_attention_is_one_half_with_the_last_norm(scale, bias):
    """Whatever the features and the weights are; without the norm the same weights open or close the gate."""
    signal, skip = _maps(4, 8, 8)
    published, ours = _gate("instance"), _gate("none")
    ours.load_state_dict(published.state_dict(), strict=False)
    for gate in (published, ours):
        gate.psi.weight.mul_(scale / 100)
        gate.psi.bias.fill_(bias)
    means = published.attention(scale * signal, scale * skip).mean(dim=(1, 2, 3))
    torch.testing.assert_close(means, torch.full((4,), 0.5), atol=0.08, rtol=0.0)
    means = ours.attention(scale * signal, scale * skip).mean(dim=(1, 2, 3))
    assert torch.all((means > 0.9) if bias > 0 else (means < 0.1))


@pytest.mark.parametrize("norm", GATE_NORMS)
@torch.no_grad()
def test_an_image_gives_the_same_in_any_batch_and_mode(norm):
    gate, (signal, skip) = _gate(norm), _maps()
    whole = gate(signal, skip)
    torch.testing.assert_close(gate(signal[1:2], skip[1:2]), whole[1:2])
    assert torch.equal(gate.eval()(signal, skip), whole)


@pytest.mark.parametrize("norm", GATE_NORMS)
@torch.no_grad()
def test_bfloat16_is_near_and_channels_last_the_same(norm):
    gate, (signal, skip) = _gate(norm), _maps()
    expected = gate(signal, skip)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(gate(signal, skip).float(), expected, atol=0.1, rtol=0.1)
    last = copy.deepcopy(gate).to(memory_format=torch.channels_last)
    result = last(*(x.contiguous(memory_format=torch.channels_last) for x in (signal, skip)))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("norm", GATE_NORMS)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(norm):
    gate, (signal, skip) = _gate(norm), _maps()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(gate)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(gate, (signal, skip))
    torch.testing.assert_close(scripted(signal, skip), gate(signal, skip))
    torch.testing.assert_close(scripted.attention(signal, skip), gate.attention(signal, skip))
    torch.testing.assert_close(traced(skip, signal), gate(skip, signal))


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="norm must be one of 'none', 'instance', got 'batch'"):
        AttentionGate(4, 2, norm="batch")
    with pytest.raises(ValueError, match="channels and inner must be positive, got 4 and 0"):
        AttentionGate(4, 0)
    signal, skip = _maps()
    with pytest.raises(ValueError, match=r"one shape, got \[3, 6, 8, 6\] and \[3, 6, 4, 6\]"):
        _gate()(signal, skip[:, :, :4])
