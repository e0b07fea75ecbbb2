# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.simsid.image_discriminator import ImageDiscriminator
from tests.helpers.onnx_runs import run_as_onnx


def _network(norm_at_eval="running", size=(24, 16), channels=(4, 6, 8)):
    """A network in evaluation mode whose normalizations have seen images and are not the identity."""
    torch.manual_seed(0)
    network = ImageDiscriminator(size, 2, channels=channels, norm_at_eval=norm_at_eval)
    for norm in _layers(network, nn.BatchNorm2d):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias)
    network(3.0 * torch.randn(8, 2, *size) + 1.0)
    return network.eval()


def _layers(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


def _images(count=5, size=(24, 16)):
    return torch.randn(count, 2, *size, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def _reference(network, images, training):
    """The layers written out; ``training`` takes the statistics of the images given."""
    h = images
    norms = _layers(network, nn.BatchNorm2d)
    for i, conv in enumerate(_layers(network, nn.Conv2d)):
        h = F.conv2d(h, conv.weight, conv.bias, stride=2, padding=2)
        if i > 0:
            norm = norms[i - 1]
            mean, var = norm.running_mean.clone(), norm.running_var.clone()
            h = F.batch_norm(h, mean, var, norm.weight, norm.bias, training, eps=norm.eps)
        h = torch.where(h > 0, h, 0.2 * h)
    return (h.flatten(1) @ network.out.weight.T + network.out.bias)[:, 0]


@pytest.mark.parametrize(
    ("channels", "parameters"), [((16, 32, 64, 128, 128), 681_921), ((16, 32, 64, 128, 256), 1_093_953)]
)
def test_parameter_count_is_the_published_one(channels, parameters):
    """0.68 M for SQUID and 1.09 M for SimSID, at 128 pixels; the exact numbers are counted layer by layer."""
    with torch.device("meta"):
        network = ImageDiscriminator(128, 1, channels=channels)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("size", [(24, 16), (17, 5), (1, 1)])
@torch.no_grad()
def test_running_statistics(size):
    network, images = _network(size=size), _images(size=size)
    result = network(images)
    assert result.shape == (5,)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, _reference(network, images, training=False))


@pytest.mark.parametrize("size", [(24, 16), (9, 17)])
@torch.no_grad()
def test_instance_statistics_are_those_of_training_mode_image_by_image(size):
    network, images = _network("instance", size=size), _images(size=size)
    expected = torch.cat([_reference(network, single[None], training=True) for single in images])
    torch.testing.assert_close(network(images), expected, rtol=0.0, atol=1e-5)
    assert not torch.allclose(expected, _reference(network, images, training=False), atol=0.01)


@pytest.mark.parametrize("norm_at_eval", ["running", "instance"])
@torch.no_grad()
def test_evaluation_repeats_and_does_not_depend_on_the_batch(norm_at_eval):
    network, images = _network(norm_at_eval), _images(7)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    whole = network(images)
    assert torch.equal(network(images), whole)
    torch.testing.assert_close(torch.cat([network(images[:1]), network(images[1:4]), network(images[4:])]), whole)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("norm_at_eval", ["running", "instance"])
def test_training_takes_the_statistics_of_the_batch(norm_at_eval):
    network, images = _network(norm_at_eval).train(), _images()
    expected = _reference(network, images, training=True)
    mean = _layers(network, nn.BatchNorm2d)[0].running_mean.clone()
    logits = network(images)
    torch.testing.assert_close(logits, expected)
    assert not torch.equal(_layers(network, nn.BatchNorm2d)[0].running_mean, mean)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_first_convolution_has_no_normalization():
    assert [len(_layers(_network(), kind)) for kind in (nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU)] == [3, 2, 3]


@torch.no_grad()
def test_both_kinds_share_a_state_dict():
    running, instance = _network("running"), _network("instance")
    assert not torch.allclose(running(_images()), instance(_images()), atol=0.01)
    other = ImageDiscriminator((24, 16), 2, channels=(4, 6, 8), norm_at_eval="instance").eval()
    other.load_state_dict(running.state_dict())
    torch.testing.assert_close(other(_images()), instance(_images()))


@pytest.mark.parametrize("norm_at_eval", ["running", "instance"])
@torch.no_grad()
def test_autocast_keeps_a_float32_logit(norm_at_eval):
    network, images = _network(norm_at_eval), _images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, network(images), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("norm_at_eval", ["running", "instance"])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(norm_at_eval):
    network, images = _network(norm_at_eval), _images()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(network)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(network, images)
    torch.testing.assert_close(scripted(images), network(images))
    torch.testing.assert_close(traced(images[:3]), network(images[:3]))
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :1])
    with pytest.raises(torch.jit.Error, match="at least 2 images"):
        scripted.train()(images[:1])


@torch.no_grad()
def test_onnx_by_trace_keeps_each_image_s_own_statistics(tmp_path):
    network, images = _network("instance"), _images(3)
    (result,) = run_as_onnx(network, images, folder=tmp_path, any_batch=False)
    torch.testing.assert_close(result, network(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (16, 16, 16)}, "image_size must be one or two positive numbers"),
        ({"image_size": 0}, "image_size must be one or two positive numbers"),
        ({"in_channels": 0}, "must be positive and not empty"),
        ({"channels": ()}, "must be positive and not empty"),
        ({"channels": (4, 0)}, "must be positive and not empty"),
        ({"norm_at_eval": "batch"}, "norm_at_eval must be 'running' or 'instance'"),
        ({"norm_at_eval": "instance", "channels": (4,) * 4}, "leave 1 x 1 of image_size 16"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDiscriminator(**{"image_size": 16, "in_channels": 1, "channels": (4, 4), **arguments})


@pytest.mark.parametrize("shape", [(2, 1, 24, 16), (2, 2, 16, 24), (2, 2, 24, 17), (2, 24, 16)])
def test_an_image_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(C, H, W\) = \[2, 24, 16\]"):
        _network()(torch.zeros(shape))


def test_a_single_image_in_training_is_refused():
    with pytest.raises(ValueError, match="at least 2 images in training mode, got 1; raise the batch size"):
        _network().train()(_images(1))
    assert _network().train()(_images(2)).shape == (2,)
