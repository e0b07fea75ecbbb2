# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.simsid.tokens import PatchCNN, TokenDecoder
from tests.helpers.onnx_runs import run_as_onnx

SMALL = {"grid": (2, 3), "dim": 4, "out_channels": 2, "image_size": (16, 24), "channels": (6, 5, 3)}
STEM = {"fc": {"stem": "fc", "stem_size": (2, 3)}, "grid": {"stem": "grid"}}


def _random(network):
    """Parameters and running statistics away from their special starting values."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


def _count(module):
    return sum(p.numel() for p in module.parameters())


def _normed(norm, x):
    shape = (1, -1, 1, 1)
    x = (x - norm.running_mean.view(shape)) / (norm.running_var.view(shape) + norm.eps).sqrt()
    return torch.relu(x * norm.weight.view(shape) + norm.bias.view(shape))


@torch.no_grad()
def test_report_has_64_tokens_of_64_for_128_pixels():
    with torch.device("meta"):
        encoder, decoder = PatchCNN(1, 16), TokenDecoder((8, 8), 64, 1)
        tokens = encoder(torch.empty(2, 64, 1, 16, 16))
        outputs = decoder(tokens)
    assert tokens.shape == (2, 64, 64)
    assert [tuple(x.shape) for x in outputs] == [(2, 128, 16, 16), (2, 64, 32, 32), (2, 32, 64, 64), (2, 1, 128, 128)]
    convolutions = 9 * (1 * 32 + 32 * 64 + 64 * 128 + 128 * 256)
    assert _count(encoder) == convolutions + 2 * (32 + 64 + 128 + 256) + (256 + 1) * 64 == 404_768
    assert _count(decoder.stem) == (64 * 64 + 1) * 256 * 8 * 8 == 67_125_248
    upward = 16 * (256 * 128 + 128 * 64 + 64 * 32 + 32 * 1) + 1
    assert _count(decoder) - _count(decoder.stem) == upward + 2 * (128 + 64 + 32)


@torch.no_grad()
def test_grid_stem_needs_17_thousand_weights_for_the_same_image():
    with torch.device("meta"):
        decoder = TokenDecoder((8, 8), 64, 1, stem="grid")
        outputs = decoder(torch.empty(2, 64, 64))
    assert _count(decoder.stem) == (64 + 1) * 256
    assert [x.shape[-1] for x in outputs] == [16, 32, 64, 128]
    assert outputs[-1].shape == (2, 1, 128, 128)


@pytest.mark.parametrize(
    ("patch_size", "channels", "pools", "features"),
    [
        (16, (32, 64, 128, 256), 4, 256),
        (4, (32, 64, 128, 256), 2, 64),
        ((4, 16), (32, 64, 128, 256), 2, 64 * 4),
        (32, (32, 64, 128, 256), 4, 256 * 4),
        (7, (3, 4), 2, 4),
        (2, (3,), 1, 3),
        (16, (3,), 1, 3 * 64),
    ],
)
@torch.no_grad()
def test_a_patch_is_pooled_as_often_as_its_shorter_side_allows(patch_size, channels, pools, features):
    encoder = PatchCNN(1, patch_size, channels=channels, dim=5).eval()
    assert sum(isinstance(m, nn.MaxPool2d) for m in encoder.modules()) == pools
    assert encoder.out.in_features == features
    height, width = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
    assert encoder(torch.rand(2, 3, 1, height, width)).shape == (2, 3, 5)


@torch.no_grad()
def test_every_patch_is_encoded_by_itself():
    encoder = _random(PatchCNN(2, (4, 6), channels=(3, 5), dim=4))
    patches = torch.randn(2, 3, 2, 4, 6)
    tokens = encoder(patches)
    first, norm1, _, _, second, norm2, _, _ = encoder.blocks
    for i in range(2):
        for p in range(3):
            x = patches[i, p][None]
            for convolution, norm in ((first, norm1), (second, norm2)):
                x = F.max_pool2d(_normed(norm, F.conv2d(x, convolution.weight, padding=1)), 2)
            expected = encoder.out.weight @ x.flatten() + encoder.out.bias
            torch.testing.assert_close(tokens[i, p], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stem", ["fc", "grid"])
@torch.no_grad()
def test_decoder_is_a_stem_and_transposed_convolutions(stem):
    decoder = _random(TokenDecoder(**SMALL, **STEM[stem]))
    tokens = torch.randn(2, 6, 4)
    if stem == "fc":
        x = (tokens.flatten(1) @ decoder.stem.weight.T + decoder.stem.bias).reshape(2, 6, 2, 3)
    else:
        x = torch.empty(2, 6, 2, 3)
        for p in range(6):  # patches in rows
            x[:, :, p // 3, p % 3] = tokens[:, p] @ decoder.stem.weight[:, :, 0, 0].T + decoder.stem.bias
    expected = []
    for up, norm, _ in decoder.blocks[:-1]:
        x = _normed(norm, F.conv_transpose2d(x, up.weight, stride=2, padding=1))
        expected.append(x)
    last = decoder.blocks[-1]
    expected.append(F.conv_transpose2d(x, last.weight, last.bias, stride=2, padding=1))
    outputs = decoder(tokens)
    assert [tuple(o.shape) for o in outputs] == [(2, 5, 4, 6), (2, 3, 8, 12), (2, 2, 16, 24)]
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_grid_stem_keeps_a_token_in_its_place_and_fc_does_not():
    tokens = torch.randn(1, 6, 4)
    changed = tokens.clone()
    changed[:, 0] += 1.0
    touched = {}
    for stem in ("fc", "grid"):
        decoder = _random(TokenDecoder(**SMALL, **STEM[stem]))
        touched[stem] = (decoder(tokens)[-1] - decoder(changed)[-1])[0, 0].abs() > 0
    assert touched["fc"][8:, 16:].any()
    assert touched["grid"][:8, :8].any()
    assert not touched["grid"][:, 16:].any()


@pytest.mark.parametrize(("grid", "image_size", "steps"), [((8, 8), 128, 4), ((2, 2), 128, 6), ((4, 2), (8, 4), 1)])
def test_there_are_as_many_steps_as_the_image_needs(grid, image_size, steps):
    with torch.device("meta"):
        decoder = TokenDecoder(grid, 4, 1, stem="grid", image_size=image_size)
    assert decoder.steps == len(decoder.blocks) == steps
    widths = [256, 128, 64, 32, 32, 32][:steps]
    assert [decoder.stem.out_channels, *(b[0].out_channels for b in decoder.blocks[:-1])] == widths


@pytest.mark.parametrize("stem", ["fc", "grid"])
def test_gradient_reaches_every_parameter(stem):
    torch.manual_seed(0)
    encoder, decoder = PatchCNN(2, 8, channels=(3, 4), dim=4), TokenDecoder(**SMALL, **STEM[stem])
    outputs = decoder(encoder(torch.randn(2, 6, 2, 8, 8)))
    sum(x.square().mean() for x in outputs).backward()
    assert all(p.grad is not None and p.grad.any() for net in (encoder, decoder) for p in net.parameters())


class _Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = PatchCNN(2, 8, channels=(3, 4), dim=4)
        self.fc, self.grid = (TokenDecoder(**SMALL, **STEM[stem]) for stem in ("fc", "grid"))

    def forward(self, patches):
        tokens = self.encoder(patches)
        return self.fc(tokens) + self.grid(tokens)


@torch.no_grad()
def test_bfloat16_is_close():
    network = _random(_Autoencoder())
    patches = torch.randn(2, 6, 2, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(patches)
    for x, expected in zip(result, network(patches), strict=True):
        torch.testing.assert_close(x.float(), expected, atol=0.2, rtol=0.1)


@torch.no_grad()
def test_torchscript_by_script_and_by_trace_gives_the_same():
    network = _random(_Autoencoder())
    patches = torch.randn(3, 6, 2, 8, 8)
    expected = network(patches)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript is deprecated, MONAI exports it
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        scripted = torch.jit.script(network)
        traced = torch.jit.trace(network, patches[:2], strict=False)  # it returns a list
    torch.testing.assert_close(scripted(patches), expected)
    torch.testing.assert_close(traced(patches), expected)


@torch.no_grad()
def test_onnx_gives_the_same_for_any_batch(tmp_path):
    network = _random(_Autoencoder())
    patches = torch.randn(3, 6, 2, 8, 8)
    results = run_as_onnx(network, patches, folder=tmp_path)
    for result, expected in zip(results, network(patches), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 1}, "patch_size must be at least 2 pixels, got 1 x 1"),
        ({"patch_size": (8, 1)}, "patch_size must be at least 2 pixels, got 8 x 1"),
        ({"patch_size": (8, 8, 8)}, "patch_size must be one or two positive numbers"),
        ({"channels": ()}, "channels must be one or more positive"),
        ({"channels": (8, 0)}, "channels must be one or more positive"),
        ({"in_channels": 0}, "in_channels must be at least 1"),
        ({"dim": 0}, "dim must be at least 1"),
    ],
)
def test_patch_cnn_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchCNN(**{"in_channels": 1, "patch_size": 8, **arguments})


@pytest.mark.parametrize("shape", [(2, 4, 3, 8, 8), (2, 4, 1, 8, 4), (2, 1, 8, 8)])
def test_patch_cnn_refuses_other_patches(shape):
    with pytest.raises(ValueError, match=r"patches must have shape \(B, P, 1, 8, 8\)"):
        PatchCNN(1, 8, channels=(2,))(torch.rand(shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": "unet"}, r"stem must be one of \('fc', 'grid'\), got 'unet'"),
        ({"image_size": 100}, "that of the stem, 8 x 8, times a power of two, got 100 x 100; change stem_size"),
        ({"image_size": 8}, "times a power of two, got 8 x 8"),
        ({"image_size": 4}, "times a power of two, got 4 x 4"),
        ({"image_size": (128, 64)}, "times a power of two, got 128 x 64"),
        ({"stem": "grid", "grid": (3, 3)}, "the stem, 3 x 3, times a power of two, got 128 x 128; change grid"),
        ({"channels": (8, 8, 8)}, "channels must be 4 positive numbers, one per doubling"),
        ({"channels": (8, 8, 8, 0)}, "channels must be 4 positive numbers, one per doubling"),
        ({"grid": (8, 0)}, "grid must be one or two positive"),
        ({"dim": 0}, "dim must be at least 1"),
        ({"out_channels": 0}, "out_channels must be at least 1"),
    ],
)
def test_decoder_refuses_arguments_out_of_range(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        TokenDecoder(**{"grid": (8, 8), "dim": 4, "out_channels": 1, **arguments})


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 5, 4), (6, 4)])
@pytest.mark.parametrize("stem", ["fc", "grid"])
def test_decoder_refuses_other_tokens(shape, stem):
    with pytest.raises(ValueError, match=r"tokens must have shape \(B, 6, 4\)"):
        TokenDecoder(**SMALL, **STEM[stem])(torch.rand(shape))
