# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch

from monai_anomaly.networks.nets.simsid.map_discriminator import MapDiscriminator


def _network(channels=(3, 4, 5), **options):
    torch.manual_seed(0)
    return MapDiscriminator(2, channels=channels, **options).eval()


@pytest.mark.parametrize(("channels", "sides"), [((3, 4), (4, 6)), ((3, 4, 5), (8, 12)), ((2, 3, 4, 5), (16, 8))])
@torch.no_grad()
def test_one_logit_per_pixel(channels, sides):
    network = _network(channels)
    image = torch.rand(3, 2, *sides)
    assert network(image).shape == (3, 1, *sides)
    shapes = []
    x = torch.cat([image, torch.zeros(3, 2, *sides)], dim=1)
    for stage in network.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(width, sides[0] >> i, sides[1] >> i) for i, width in enumerate(channels)]


@torch.no_grad()
def test_pixels_know_their_place():
    knows = _network()
    places = []
    knows.stages[0].register_forward_pre_hook(lambda _, inputs: places.append(inputs[0][:, 2:]))
    knows(torch.rand(2, 2, 8, 16))
    for row in range(8):
        for column in range(16):
            expected = torch.tensor([2 * row / 7 - 1, 2 * column / 15 - 1]).expand(2, 2)
            torch.testing.assert_close(places[0][:, :, row, column], expected)
    flat = torch.zeros(1, 2, 32, 32)
    blind = MapDiscriminator(2, channels=(4, 6), places=False).eval()
    inner = (..., slice(8, 24), slice(8, 24))  # away from the border, whose zero padding also tells the place
    assert blind(flat)[inner].std() < 1e-6 < knows(flat)[inner].std()


def test_sees_both_images_and_trains_whole():
    network, image = _network().train(), torch.rand(2, 2, 8, 8).requires_grad_()
    network(image).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    assert image.grad.flatten(2).any(dim=2).all()


@torch.no_grad()
def test_same_in_any_batch_and_twice():
    network, image = _network(), torch.rand(5, 2, 8, 8)
    together = network(image)
    torch.testing.assert_close(network(image[3:4]), together[3:4])
    assert torch.equal(network(image), together)


@torch.no_grad()
def test_torchscript_by_script_and_by_trace_gives_the_same():
    network, image = _network(), torch.rand(3, 2, 8, 8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript is deprecated, MONAI exports it
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        scripted, traced = torch.jit.script(network), torch.jit.trace(network, image[:2], check_trace=False)
    torch.testing.assert_close(scripted(image), network(image))
    torch.testing.assert_close(traced(image), network(image))


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="at least 2 widths"):
        MapDiscriminator(1, channels=(4,))
    with pytest.raises(ValueError, match=r"must be multiples of 4, got \[1, 2, 8, 6\]; shorten channels"):
        _network()(torch.rand(1, 2, 8, 6))
