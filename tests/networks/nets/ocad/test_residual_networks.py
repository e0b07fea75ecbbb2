# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from monai_anomaly.networks.nets.ocad.autoencoder import Bottleneck
from monai_anomaly.networks.nets.ocad.residual_networks import ResidualCritic, ResidualDecoder
from tests.helpers.onnx_runs import run_as_onnx


def _count(network):
    return sum(p.numel() for p in network.parameters())


def _layers(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


def _randomize(network):
    """Normalizations that are not the identity, or a test could not see them."""
    for norm in _layers(network, nn.GroupNorm):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias)
    return network


def _decoder(norm="group", image_size=32, channels=(8, 4)):
    torch.manual_seed(0)
    return _randomize(ResidualDecoder(image_size, 3, latent_channels=5, channels=channels, norm=norm)).eval()


def _critic(image_size=16, channels=(4, 6, 8)):
    torch.manual_seed(0)
    return _randomize(ResidualCritic(image_size, 3, channels=channels)).eval()


def _double(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _halve(x):
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def _relu(x):
    return torch.where(x > 0, x, 0.0)


def _conv(layer, x, stride=1):
    return F.conv2d(x, layer.weight, layer.bias, stride, padding=(layer.weight.shape[-1] - 1) // 2)


def _normalize(norm, x, groups):
    """Group by group and image by image, in double precision."""
    if isinstance(norm, nn.Identity):
        return x
    values = x.double().reshape(x.shape[0], groups, -1)
    values = (values - values.mean(2, keepdim=True)) / (values.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    return (values.reshape(x.shape) * norm.weight[:, None, None] + norm.bias[:, None, None]).float()


def test_decoder_has_the_published_parameters():
    """10.97 million with the 65,664 of the layer from 512 features to the latent; a batch normalization has as many
    parameters as the group normalization in its place."""
    with torch.device("meta"):
        decoder = ResidualDecoder(256, 3)
        latent = Bottleneck(512, 1, 128, restore=False)
        assert _count(latent) == 65_664
        assert _count(decoder) + _count(latent) == 10_969_027
        assert _count(ResidualDecoder(256, 3, norm="none")) == _count(decoder) - 2 * (
            512 + 512 + 512 + 256 * 2 + 128 * 2 + 64 * 2
        )
        assert decoder(torch.empty(2, 128)).shape == (2, 3, 256, 256)


def test_critic_has_the_published_parameters_but_for_the_normalization():
    """17.72 million, of which 7.86 million are a factor and an offset for every value of every normalized map; here
    there is one of each per channel."""
    maps = [(64, 128), (128, 64), (256, 32), (512, 16)]  # channels and sides of what the blocks normalize, twice each
    per_value = sum(2 * 2 * channels * side**2 for channels, side in maps)
    per_channel = sum(2 * 2 * channels for channels, _ in maps)
    with torch.device("meta"):
        critic = ResidualCritic(256, 3)
        assert _count(critic) == 9_854_721
        assert _count(critic) - per_channel + per_value == 17_715_201
        assert per_value == 7_864_320
        assert critic(torch.empty(2, 3, 256, 256)).shape == (2, 1)


def test_work_is_the_published_one_but_for_the_skips():
    """7.58 and 6.88 times 10^9 multiplications for an image; the decoder's skips cost a quarter, before upsampling."""
    saved = 0.75 * sum(
        a * b * side**2 for a, b, side in ((512, 512, 16), (512, 256, 32), (256, 128, 64), (128, 64, 128))
    )

    def work(network, *shape):
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, *shape))
        return counter.get_total_flops() / 2

    with torch.device("meta"):
        assert (work(ResidualDecoder(256, 3), 128) + saved) / 1e9 == pytest.approx(7.58, abs=0.005)
        assert work(ResidualCritic(256, 3), 3, 256, 256) / 1e9 == pytest.approx(6.88, abs=0.005)


@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize(("image_size", "channels"), [(16, (8,)), (32, (8, 4)), (64, (16, 12, 4))])
@torch.no_grad()
def test_decoder_layer_by_layer(norm, image_size, channels):
    decoder, latent = _decoder(norm, image_size, channels), torch.randn(2, 5)
    groups = {16: 8, 12: 4, 8: 8, 4: 4}
    linear = decoder.start[0]
    h = (latent @ linear.weight.T + linear.bias).reshape(2, channels[0], 4, 4)
    _, first, *blocks, norm_last, _, _, last = decoder.layers
    assert len(blocks) == len(channels) - 1
    h = _conv(first, _double(h))
    for block in blocks:
        skip = _conv(block.skip, _double(h))
        h = _conv(block.conv1, _double(_relu(_normalize(block.norm1, h, groups[h.shape[1]]))))
        h = _conv(block.conv2, _relu(_normalize(block.norm2, h, groups[h.shape[1]]))) + skip
        assert block.conv1.bias is None
    h = _conv(last, _double(_relu(_normalize(norm_last, h, groups[h.shape[1]]))))
    assert last.kernel_size == (5, 5)
    assert h.shape == (2, 3, image_size, image_size)
    torch.testing.assert_close(decoder(latent), h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("image_size", "channels"), [(8, (4, 8)), (16, (4, 6, 8)), (48, (4, 6, 6, 8)), (8, (4, 6, 8))])
@torch.no_grad()
def test_critic_layer_by_layer(image_size, channels):
    critic, images = _critic(image_size, channels), torch.rand(2, 3, image_size, image_size)
    first, *blocks, last, _, linear = critic.layers
    assert (first.kernel_size, last.kernel_size, len(blocks)) == ((5, 5), (3, 3), len(channels) - 2)
    h = _conv(first, images, stride=2)
    for block in blocks:
        skip = _conv(block.skip, _halve(h))
        h = _conv(block.conv1, _relu(_normalize(block.norm1, h, 1)))
        h = _halve(_conv(block.conv2, _relu(_normalize(block.norm2, h, 1)))) + skip
        assert block.conv1.bias is None
    h = _conv(last, h, stride=2)
    expected = h.flatten(1) @ linear.weight.T + linear.bias
    torch.testing.assert_close(critic(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["group", "none"])
def test_gradients_reach_every_parameter(norm):
    decoder, critic = _decoder(norm).train(), _critic(32).train()
    critic(decoder(torch.randn(3, 5))).square().sum().backward()
    for name, parameter in [*decoder.named_parameters(), *critic.named_parameters()]:
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@torch.no_grad()
def test_a_sample_gives_the_same_in_any_batch_and_mode():
    decoder, critic, latent = _decoder(), _critic(32), torch.randn(4, 5)
    pictures = decoder(latent)
    judged = critic(pictures)
    torch.testing.assert_close(torch.cat([decoder(latent[:1]), decoder(latent[1:])]), pictures)
    torch.testing.assert_close(torch.cat([critic(pictures[:3]), critic(pictures[3:])]), judged)
    torch.testing.assert_close(decoder.train()(latent), pictures)
    torch.testing.assert_close(critic.train()(pictures), judged)


@torch.no_grad()
def test_autocast_stays_near_and_the_critic_answers_in_float32():
    decoder, critic, latent = _decoder(), _critic(32), torch.randn(4, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pictures = decoder(latent)
        judged = critic(pictures)
    torch.testing.assert_close(pictures.float(), decoder(latent), rtol=0.1, atol=0.1)
    assert judged.dtype == torch.float32
    torch.testing.assert_close(judged, critic(decoder(latent)), rtol=0.1, atol=0.1)


@torch.no_grad()
def test_torchscript():
    decoder, critic, latent = _decoder(), _critic(32), torch.randn(3, 5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = [torch.jit.script(decoder), torch.jit.script(critic)]
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(decoder, latent)
    pictures = decoder(latent)
    torch.testing.assert_close(scripted[0](latent), pictures)
    torch.testing.assert_close(traced(latent), pictures)
    torch.testing.assert_close(scripted[1](pictures), critic(pictures))


@torch.no_grad()
def test_onnx_by_trace(tmp_path):
    decoder, latent = _decoder(), torch.randn(3, 5)
    (result,) = run_as_onnx(decoder, latent, folder=tmp_path, any_batch=False)
    torch.testing.assert_close(result, decoder(latent), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 64}, "2 channels lead to images of 32 pixels, but image_size is 64"),
        ({"channels": (4, 4, 4)}, "3 channels lead to images of 64 pixels, but image_size is 32"),
        ({"channels": ()}, "channels must be positive and not empty"),
        ({"channels": (4, 0)}, "channels must be positive"),
        ({"out_channels": 0}, "out_channels must be positive"),
        ({"latent_channels": 0}, "latent_channels must be positive"),
        ({"norm": "batch"}, "norm must be one of 'none', 'group', got 'batch'"),
    ],
)
def test_decoder_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualDecoder(**{"image_size": 32, "out_channels": 1, "channels": (4, 4), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 18}, "multiple of 4 for 2 channels.*got 18"),
        ({"image_size": 0}, "multiple of 4 for 2 channels.*got 0"),
        ({"channels": (4,)}, r"channels needs at least 2 widths.*got \(4,\)"),
        ({"channels": ()}, "channels must be positive and not empty"),
        ({"channels": (4, 0)}, "channels must be positive"),
        ({"in_channels": 0}, "in_channels must be positive"),
    ],
)
def test_critic_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualCritic(**{"image_size": 16, "in_channels": 1, "channels": (4, 4), **arguments})
