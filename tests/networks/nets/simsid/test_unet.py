# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.memory.window_memory import WindowMemory
from monai_anomaly.networks.nets.simsid.unet import ResidualUNetEncoder, UNetDecoder
from tests.helpers.onnx_runs import run_as_onnx

GRID = (2, 3)
CHANNELS = (4, 6, 8, 10)  # of the encoder: patches of 16 pixels have a bottleneck of 2
DECODER = {"channels": (10, 8, 6, 4), "skip_channels": (8, 6, 0)}


class _Add(nn.Module):
    """Stands for a memory: shows where it was."""

    def __init__(self, value):
        super().__init__()
        self.value = float(value)

    def forward(self, x):
        return x + self.value


class _Autoencoder(nn.Module):
    """Both paths, patches to logits; one tensor out, which can be traced."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, patches):
        maps = self.encoder(patches)
        return self.decoder(maps[-1], maps[1:2])[-1]


def _warm(network):
    """In evaluation mode, with normalizations that are not the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


def _decoder(**options):
    torch.manual_seed(0)
    return _warm(UNetDecoder(GRID, 2, **{**DECODER, "merge_at": 2, **options}))


def _maps(images=2, seed=1):
    """Bottleneck and skips, fine to deep, of all patches."""
    generator = torch.Generator().manual_seed(seed)

    def draw(channels, side):
        return torch.randn(images * 6, channels, side, side, generator=generator)

    return draw(10, 2), [draw(6, 8), draw(8, 4)]


def _tile(maps):
    """Patches of one image to one map, row by row."""
    return torch.cat([torch.cat([maps[3 * r + c] for c in range(3)], dim=2) for r in range(2)], dim=1)


@torch.no_grad()
def _reference(decoder, bottleneck, skips, merge_at, memories=(0.0, 0.0, 0.0)):
    """All outputs of one image, patch by patch before the merge."""
    parts, outputs = list(bottleneck), []
    skips_of_step = [list(skips[1]), list(skips[0]), None]
    for i, step in enumerate(decoder.steps):
        taken = skips_of_step[i]
        if i == merge_at:
            parts = [_tile(parts)]
        if i >= merge_at and taken is not None:
            taken = [_tile(taken)]
        for j, part in enumerate(parts):
            x = F.interpolate(part[None], size=[2 * part.shape[1], 2 * part.shape[2]], mode="bilinear")
            if taken is not None:
                x = torch.cat([taken[j][None], x], dim=1)
            parts[j] = step.conv(x)[0] + memories[i]
        outputs.append(torch.stack(parts))
    if merge_at == 3:
        parts = [_tile(parts)]
    weight = decoder.out.weight[:, :, 0, 0]
    outputs.append(torch.einsum("oc,chw->ohw", weight, parts[0])[None] + decoder.out.bias[:, None, None])
    return outputs


def _count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_and_sizes_of_the_published_networks():
    """7.86 M and 3.88 M; the exact numbers are counted layer by layer."""
    with torch.device("meta"):
        encoder, decoder = ResidualUNetEncoder(1), UNetDecoder((2, 2), 1)
        maps = encoder(torch.empty(8, 1, 64, 64))
        outputs = decoder(maps[-1], maps[2:4])
    assert _count(encoder) == 7_861_248
    assert _count(decoder) == 3_875_073
    assert [tuple(m.shape) for m in maps] == [
        (8, 32, 64, 64),
        (8, 64, 32, 32),
        (8, 128, 16, 16),
        (8, 256, 8, 8),
        (8, 512, 4, 4),
    ]
    assert [tuple(m.shape) for m in outputs] == [
        (8, 256, 8, 8),
        (8, 128, 16, 16),
        (2, 64, 64, 64),
        (2, 32, 128, 128),
        (2, 1, 128, 128),
    ]


@pytest.mark.parametrize("shape", [(16, 16), (8, 24)])
@pytest.mark.parametrize("levels", [1, 2, 4])
@torch.no_grad()
def test_encoder_halves_from_map_to_map(shape, levels):
    encoder = _warm(ResidualUNetEncoder(3, channels=CHANNELS[:levels]))
    x = torch.randn(2, 3, *shape)
    maps = encoder(x)
    assert [tuple(m.shape) for m in maps] == [
        (2, CHANNELS[i], shape[0] // 2**i, shape[1] // 2**i) for i in range(levels)
    ]
    for block, result in zip(encoder.blocks, maps, strict=True):
        x = block(x)
        torch.testing.assert_close(result, x)


@pytest.mark.parametrize("merge_at", [0, 1, 2, 3])
@torch.no_grad()
def test_decoder_is_a_loop_over_images_and_patches(merge_at):
    decoder = _decoder(merge_at=merge_at)
    bottleneck, skips = _maps()
    outputs = decoder(bottleneck, skips)
    assert len(outputs) == 4
    assert outputs[-1].shape == (2, 2, 32, 48)
    for b in range(2):
        own = slice(6 * b, 6 * b + 6)
        expected = _reference(decoder, bottleneck[own], [s[own] for s in skips], merge_at)
        for i, (result, single) in enumerate(zip(outputs, expected, strict=True)):
            part = result[own] if i < merge_at else result[b : b + 1]
            torch.testing.assert_close(part, single, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_memories_stand_behind_their_steps():
    decoder = _decoder(memories=(_Add(1.5), None, _Add(-2.5)))
    bottleneck, skips = _maps(1)
    expected = _reference(decoder, bottleneck, skips, 2, memories=(1.5, 0.0, -2.5))
    plain = _decoder()(bottleneck, skips)
    for result, single, without in zip(decoder(bottleneck, skips), expected, plain, strict=True):
        torch.testing.assert_close(result, single, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(result, without, atol=0.1)


@torch.no_grad()
def test_a_window_memory_answers_each_patch():
    memory = WindowMemory((2, 2), (8, 4, 4), slots=5, top_k=2)
    bottleneck, skips = _maps()
    (result, *_), (without, *_) = (
        _decoder(memories=(memory, None, None))(bottleneck, skips),
        _decoder()(bottleneck, skips),
    )
    torch.testing.assert_close(result, torch.cat([memory(patch[None]) for patch in without]))


@pytest.mark.parametrize("options", [{"skip_channels": (0, 0, 0)}, {"skip_channels": (0, 6, 0)}, {"merge_at": 0}])
@torch.no_grad()
def test_any_steps_may_take_skips(options):
    bottleneck, skips = _maps()
    used = [skips[0]] if options.get("skip_channels") == (0, 6, 0) else skips if "merge_at" in options else []
    assert _decoder(**options)(bottleneck, used)[-1].shape == (2, 2, 32, 48)


@torch.no_grad()
def test_one_step_and_one_patch():
    decoder = _warm(UNetDecoder(1, 1, channels=(6, 4), skip_channels=(0,), merge_at=0))
    assert decoder(torch.randn(1, 6, 3, 5), [])[-1].shape == (1, 1, 6, 10)


def _autoencoder(memory=True):
    torch.manual_seed(0)
    memories = (WindowMemory((2, 2), (6, 4, 4), slots=5, top_k=2, shortcut=0.5) if memory else None, None)
    decoder = UNetDecoder(GRID, 1, channels=(8, 6, 4), skip_channels=(6, 0), merge_at=1, memories=memories)
    return _warm(_Autoencoder(ResidualUNetEncoder(1, channels=(4, 6, 8)), decoder))


def _patches(images, seed=1):
    return torch.randn(images * 6, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_evaluation_repeats_and_does_not_depend_on_the_batch():
    network, patches = _autoencoder(), _patches(5)
    whole = network(patches)
    assert torch.equal(network(patches), whole)
    parts = torch.cat([network(patches[:6]), network(patches[6:24]), network(patches[24:])])
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter():
    network = _autoencoder().train()
    network(_patches(2)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@torch.no_grad()
def test_autocast():
    network, patches = _autoencoder(memory=False), _patches(2)
    expected = network(patches)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(patches)
    torch.testing.assert_close(result.float(), expected, rtol=0.1, atol=0.1)


@torch.no_grad()
def test_torchscript_by_script_and_by_trace():
    network, patches = _autoencoder(), _patches(2)
    expected = network(patches)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(network)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(network, patches)
    torch.testing.assert_close(scripted(patches), expected)
    torch.testing.assert_close(traced(patches), expected)
    with pytest.raises(torch.jit.Error, match="multiples of 4"):
        scripted(patches[:, :, :6])
    with pytest.raises(torch.jit.Error, match="at least 2 images"):
        scripted.train()(patches[:6])


@torch.no_grad()
def test_onnx_by_trace_gives_the_same_image(tmp_path):
    network, patches = _autoencoder(), _patches(2)
    (result,) = run_as_onnx(network, patches, folder=tmp_path, any_batch=False)
    torch.testing.assert_close(result, network(patches), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": (10,)}, "channels must have at least 2 entries, all positive"),
        ({"channels": (10, 8, 0, 4)}, "channels must have at least 2 entries, all positive"),
        ({"skip_channels": (8, 6)}, r"one entry for each of the 3 steps .* got 2 and 3"),
        ({"memories": (None, None)}, r"one entry for each of the 3 steps .* got 3 and 2"),
        ({"skip_channels": (8, -6, 0)}, "skip_channels must not be negative"),
        ({"merge_at": -1}, r"merge_at must lie in \[0, 3\]"),
        ({"merge_at": 4}, r"merge_at must lie in \[0, 3\]"),
    ],
)
def test_decoder_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        _decoder(**arguments)


@pytest.mark.parametrize("channels", [(), (4, 0)])
def test_encoder_refuses_channels_out_of_range(channels):
    with pytest.raises(ValueError, match="channels must have at least 1 entries, all positive"):
        ResidualUNetEncoder(1, channels=channels)


@pytest.mark.parametrize("shape", [(12, 16), (16, 12), (4, 4)])
def test_encoder_refuses_sides_that_cannot_be_halved(shape):
    with pytest.raises(ValueError, match="multiples of 8 for 4 channels"):
        ResidualUNetEncoder(1, channels=CHANNELS)(torch.zeros(2, 1, *shape))


def test_decoder_refuses_maps_that_do_not_fit():
    decoder = _decoder()
    bottleneck, skips = _maps()
    with pytest.raises(ValueError, match="all 6 patches of each image, as the grid says, got 11 maps"):
        decoder(bottleneck[:11], skips)
    with pytest.raises(ValueError, match="skips must hold 2 maps, as skip_channels says, got 1"):
        decoder(bottleneck, skips[:1])
    with pytest.raises(
        ValueError, match=r"skips\[1\], for step 0, must have shape \[12, 8, 4, 4\], got \[12, 6, 8, 8\]"
    ):
        decoder(bottleneck, skips[::-1])
    with pytest.raises(ValueError, match=r"skips\[0\], for step 1, must have shape"):
        decoder(bottleneck, [skips[0][:, :, :4], skips[1]])


def test_a_single_image_in_training_is_refused():
    bottleneck, skips = _maps(1)
    with pytest.raises(
        ValueError, match=r"decoder's .* at least 2 images in training mode, got 1; raise the batch size"
    ):
        _decoder().train()(bottleneck, skips)
    _decoder()(bottleneck, skips)
    with pytest.raises(ValueError, match=r"encoder's .* at least 2 patches in training mode, got 1"):
        ResidualUNetEncoder(1, channels=CHANNELS)(torch.zeros(1, 1, 16, 16))
