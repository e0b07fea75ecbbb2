# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.position_condition import POSITIONS, PositionCondition

C, K = 5, 4
CODES = {1: ["0"], 2: ["00", "01"], 4: ["000", "001", "010", "011"], 9: [f"{i:04b}" for i in range(9)]}


def _block(kind="film", locations=K):
    torch.manual_seed(0)
    block = PositionCondition(C, locations, kind=kind)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def _features(images=3, locations=K, height=4, width=6, seed=1):
    return torch.randn(images * locations, C, height, width, generator=torch.Generator().manual_seed(seed))


def _by_hand(block, x, locations):
    """One patch and one channel after the other."""
    result = torch.empty_like(x)
    weight = block.conv.weight[:, :, 0, 0]
    for n, patch in enumerate(x):
        place = n % locations
        planes = list(patch)
        if block.kind == "official":
            planes += [torch.full_like(planes[0], float(digit)) for digit in CODES[locations][place]]
        for channel in range(C):
            z = sum(weight[channel, i] * plane for i, plane in enumerate(planes))
            z = (z - z.mean()) / (z.var(correction=0) + 1e-5).sqrt()
            if block.kind == "film":
                z = (1 + block.gamma[place, channel]) * z + block.beta[place, channel]
            result[n, channel] = z.clamp(min=0)
    return result


@pytest.mark.parametrize("locations", [1, 2, 4, 9])
@pytest.mark.parametrize("kind", POSITIONS)
def test_is_the_plain_form_in_value_and_gradient(kind, locations):
    block, exact = _block(kind, locations), _block(kind, locations).double()
    x = _features(2, locations, 2, 3).requires_grad_()
    upstream = _features(2, locations, 2, 3, seed=2)
    answer, expected = block(x), _by_hand(exact, x.double(), locations)
    torch.testing.assert_close(answer.double(), expected, atol=1e-5, rtol=1e-4)
    wanted = [x] + [exact.gamma, exact.beta] * (kind == "film")
    gradients = torch.autograd.grad(answer, [x] + [block.gamma, block.beta] * (kind == "film"), upstream)
    for gradient, other in zip(gradients, torch.autograd.grad(expected, wanted, upstream.double()), strict=True):
        torch.testing.assert_close(gradient.double(), other.double(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("channels", "parameters"), [(128, 16_896), (256, 66_560), (512, 264_192)])
def test_published_layer_has_the_published_parameters(channels, parameters):
    with torch.device("meta"):
        block = PositionCondition(channels, 4, kind="official")
    assert sum(p.numel() for p in block.parameters()) == parameters


def test_film_is_none_at_the_start():
    torch.manual_seed(0)
    film = PositionCondition(C, K, kind="film")
    torch.manual_seed(0)
    none = PositionCondition(C, K, kind="none")
    x = _features()
    torch.testing.assert_close(film(x), none(x), rtol=0.0, atol=1e-6)
    film(x).square().sum().backward()
    assert film.gamma.grad.all()  # so that it leaves the start
    assert film.beta.grad.all()
    assert [name for name in film.state_dict() if name not in none.state_dict()] == ["gamma", "beta"]


@pytest.mark.parametrize(("kind", "tells"), [("film", True), ("official", False), ("none", False)])
@torch.no_grad()
def test_only_film_tells_a_patch_its_place(kind, tells):
    block, x = _block(kind), _features(1)
    order = torch.tensor([2, 0, 3, 1])
    difference = (block(x[order]) - block(x)[order]).abs().amax(dim=(1, 2, 3))
    assert torch.all(difference > 0.1) if tells else torch.all(difference < 1e-5)


def test_published_codes_do_nothing():
    block, x = _block("official"), _features()
    expected = block(x)
    expected.square().sum().backward()
    columns = block.conv.weight.grad.abs().amax(dim=(0, 2, 3))
    assert columns[:C].min() > 1000 * columns[C:].max()
    with torch.no_grad():
        block.codes.copy_(10 * torch.randn_like(block.codes))
        torch.testing.assert_close(block(x), expected.detach(), atol=1e-4, rtol=1e-4)
    assert "codes" not in block.state_dict()


@pytest.mark.parametrize("kind", POSITIONS)
@torch.no_grad()
def test_an_image_gives_the_same_in_any_batch_and_mode(kind):
    block, x = _block(kind), _features()
    whole = block(x)
    torch.testing.assert_close(torch.cat([block(x[:K]), block(x[K:])]), whole)
    assert torch.equal(block.eval()(x), whole)


@pytest.mark.parametrize("kind", POSITIONS)
@torch.no_grad()
def test_bfloat16_is_near_and_channels_last_the_same(kind):
    block, x = _block(kind), _features()
    expected = block(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(block(x).float(), expected, atol=0.1, rtol=0.1)
    last = copy.deepcopy(block).to(memory_format=torch.channels_last)
    result = last(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", POSITIONS)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(kind):
    block, x = _block(kind), _features()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(block)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(block, x[:K])
    torch.testing.assert_close(scripted(x), block(x))
    torch.testing.assert_close(traced(x[K:]), block(x[K:]))
    with pytest.raises(torch.jit.Error, match="all 4 patches of each image"):
        scripted(x[1:])


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="kind must be one of 'film', 'official', 'none', got 'code'"):
        PositionCondition(4, 4, kind="code")
    with pytest.raises(ValueError, match="channels and locations must be positive, got 4 and 0"):
        PositionCondition(4, 0)
    with pytest.raises(ValueError, match="all 4 patches of each image, got 11 maps"):
        _block()(_features()[:11])
