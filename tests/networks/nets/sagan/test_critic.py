# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.sagan.critic import SAGANCritic
from tests.helpers.onnx_runs import run_as_onnx


def _critic(image_size=16, in_channels=2, channels=3, depth=3):
    torch.manual_seed(0)
    return SAGANCritic(image_size, in_channels, channels=channels, depth=depth)


def _images(count=4, size=16, seed=1):
    return torch.randn(count, 2, size, size, generator=torch.Generator().manual_seed(seed))


def _reference(critic, images):
    """Layer by layer; the mean of the last map in the end."""
    *inner, last = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    h = images
    for conv in inner:
        h = F.conv2d(h, conv.weight, conv.bias, stride=2, padding=1)
        h = torch.where(h > 0, h, 0.01 * h)
    assert last.bias is None
    return F.conv2d(h, last.weight, padding=1).flatten(1).mean(dim=1, keepdim=True)


def test_parameter_count_is_the_published_one():
    with torch.device("meta"):
        critic = SAGANCritic(64)
    assert sum(p.numel() for p in critic.parameters()) == 44_719_040


@pytest.mark.parametrize(("size", "depth"), [(16, 1), (16, 3), (16, 4), (13, 3)])
@torch.no_grad()
def test_one_number_for_an_image(size, depth):
    critic, images = _critic(size, depth=depth), _images(size=size)
    result = critic(images)
    assert result.shape == (4, 1)
    torch.testing.assert_close(result, _reference(critic, images))
    torch.testing.assert_close(critic(images[2:3]), result[2:3])


@pytest.mark.parametrize("size", [4, 8])
def test_has_the_second_derivatives_that_a_gradient_penalty_needs(size):
    critic, images = _critic(size, depth=2).double(), _images(2, size).double().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    (expected,) = torch.autograd.grad(_reference(critic, images).sum(), images, create_graph=True)
    torch.testing.assert_close(gradient, expected)
    weights = [p for name, p in critic.named_parameters() if name.endswith("weight")]
    penalties = ((g.flatten(1).norm(dim=1) - 1).square().mean() for g in (gradient, expected))
    ours, wanted = (torch.autograd.grad(penalty, weights) for penalty in penalties)
    for a, b in zip(ours, wanted, strict=True):
        assert a.any()
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_autocast_keeps_float32_and_channels_last_gives_the_same():
    critic, images = _critic(), _images()
    expected = critic(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = critic(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, rtol=0.1, atol=0.02)
    last = copy.deepcopy(critic).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(images.to(memory_format=torch.channels_last)), expected)


@torch.no_grad()
def test_torchscript_by_script_and_by_trace():
    critic, images = _critic(), _images()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(critic)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(critic, images)
    torch.testing.assert_close(scripted(images), critic(images))
    torch.testing.assert_close(traced(images[:2]), critic(images[:2]))


@torch.no_grad()
def test_onnx_gives_the_same(tmp_path):
    critic, images = _critic().eval(), _images()
    (result,) = run_as_onnx(critic, images, folder=tmp_path, any_batch=False)
    torch.testing.assert_close(result, critic(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 5}, r"depth must lie in \[1, 4\], since image_size 16 can be halved 4 times, got 5"),
        ({"image_size": 31, "depth": 5}, r"depth must lie in \[1, 4\]"),
        ({"depth": 0}, r"depth must lie in \[1, 4\].* got 0"),
        ({"image_size": 0}, "image_size, in_channels and channels must be positive"),
        ({"in_channels": 0}, "image_size, in_channels and channels must be positive"),
        ({"channels": 0}, "image_size, in_channels and channels must be positive"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SAGANCritic(**{"image_size": 16, "in_channels": 1, "channels": 4, "depth": 4, **arguments})


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (2, 2, 16, 8), (2, 2, 32, 32), (2, 16, 16)])
def test_an_image_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(C, H, W\) = \[2, 16, 16\]"):
        _critic()(torch.zeros(shape))
