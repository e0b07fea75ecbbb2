# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from monai_anomaly.networks.nets.ocad.autoencoder import AttentionEncoder, Bottleneck, ConvDecoder
from monai_anomaly.networks.nets.ocad.critics import ImageCritic, LatentCritic
from tests.helpers.onnx_runs import run_as_onnx


class _Networks(nn.Module):
    """All of them, as a detector and its critics use them."""

    def __init__(self, kind="vector", norm="none", position=False):
        super().__init__()
        self.encoder = AttentionEncoder(16, 3, (6, 8), heads=2, head_dim=4, position=position, norm=norm)
        latent = 5 if kind == "vector" else 3
        self.bottleneck = Bottleneck(8, 4, latent, kind=kind)
        self.decoder = ConvDecoder(3, (8, 6), in_channels=8, norm=norm)
        self.critic = ImageCritic(16, 3, (8, 16))
        self.latent_critic = LatentCritic(latent if kind == "vector" else latent * 16, 7)

    def forward(self, image):
        latent = self.bottleneck.encode(self.encoder(image))
        picture = self.decoder(self.bottleneck.decode(latent))
        return picture, self.critic(picture), self.latent_critic(latent)


def _networks(**options):
    torch.manual_seed(0)
    return _randomize(_Networks(**options)).eval()


def _randomize(network):
    """Biases and normalizations that are not the identity, or a test could not see them."""
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
        elif parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.5, 2.0)
    return network


def _images(count=3, channels=3, size=16):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def _count(module):
    return sum(p.numel() for p in module.parameters())


def _layers(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


def _conv(layer, x):
    """A convolution position by position, with nothing of ``torch.nn`` but its weights."""
    k, stride, pad = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    b, c, h, w = x.shape
    padded = torch.zeros(b, c, h + 2 * pad, w + 2 * pad, dtype=x.dtype)
    padded[:, :, pad : pad + h, pad : pad + w] = x
    kernel = layer.weight.flatten(1).T
    rows = []
    for i in range(0, h + 2 * pad - k + 1, stride):
        row = [padded[:, :, i : i + k, j : j + k].flatten(1) @ kernel for j in range(0, w + 2 * pad - k + 1, stride)]
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2) + layer.bias[:, None, None]


def _pool(x):
    return torch.stack([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(dim=0)


def _double(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _normalize(norms, x):
    return norms.pop(0)(x) if norms else x


# ---- the published sizes ---------------------------------------------------------------------------------------------


def test_parameters_are_as_many_as_the_reference_has():
    with torch.device("meta"):
        encoder = AttentionEncoder(176, 3, (256, 128, 64), attention_stage=2)
        (attention,) = _layers(encoder, SelfAttentionBlock)
        assert _count(encoder) == 508_224
        assert _count(attention) - _count(attention.norm) == 131_968
        assert _count(ConvDecoder(3, (64, 128, 256), in_channels=64)) == 412_867
        assert _count(LatentCritic(64 * 22 * 22)) == 1_982_593
        assert _count(Bottleneck(64, 22, 64, kind="map")) == 0


def test_work_is_as_much_as_the_reference_has():
    """In 10^9 multiplications for an image of 176 x 176 x 3."""

    def work(network, *shape):
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, *shape))
        return counter.get_total_flops() / 2e9

    with torch.device("meta"):
        convolutions = work(AttentionEncoder(176, 3, attention_stage=None), 3, 176, 176)
        assert convolutions == pytest.approx(2.64, abs=0.005)
        assert work(AttentionEncoder(176, 3), 3, 176, 176) - convolutions == pytest.approx(2.17, abs=0.005)
        assert work(ConvDecoder(3, in_channels=64), 64, 22, 22) == pytest.approx(2.66, abs=0.005)


def test_shapes_at_the_reference_s_size():
    with torch.device("meta"):
        encoder = AttentionEncoder(176, 3)
        assert (encoder.out_channels, encoder.out_size) == (64, 22)
        features = encoder(torch.empty(2, 3, 176, 176))
        assert features.shape == (2, 64, 22, 22)
        bottleneck = Bottleneck(64, 22, 128)
        latent = bottleneck.encode(features)
        assert latent.shape == (2, 128)
        picture = ConvDecoder(3, in_channels=64)(bottleneck.decode(latent))
        assert picture.shape == (2, 3, 176, 176)
        assert ImageCritic(176, 3)(picture).shape == (2, 1)
        assert LatentCritic(128)(latent).shape == (2, 1)
        assert LatentCritic(64 * 22 * 22)(features).shape == (2, 1)


@pytest.mark.parametrize(("size", "channels", "stages"), [(4, 1, 1), (8, 3, 2), (24, 1, 3), (16, 3, 3)])
def test_shapes_at_small_sizes(size, channels, stages):
    encoder = AttentionEncoder(size, channels, [4] * stages, attention_stage=stages, heads=1, head_dim=2)
    features = encoder(_images(2, channels, size))
    assert features.shape == (2, encoder.out_channels, encoder.out_size, encoder.out_size)
    assert ConvDecoder(channels, [4] * stages, in_channels=4)(features).shape == (2, channels, size, size)
    assert ImageCritic(size, channels, [4] * stages)(_images(2, channels, size)).shape == (2, 1)


# ---- the layers written out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention_stage", [None, 1, 2])
@pytest.mark.parametrize("norm", ["none", "group"])
@torch.no_grad()
def test_encoder(attention_stage, norm):
    torch.manual_seed(0)
    options = {"attention_stage": attention_stage, "heads": 2, "head_dim": 4, "position": True, "norm": norm}
    encoder = _randomize(AttentionEncoder(8, 3, (8, 4), **options))
    images = _images(2, size=8)
    norms, attention = _layers(encoder, nn.GroupNorm), _layers(encoder, SelfAttentionBlock)
    assert len(norms) == (2 if norm == "group" else 0)
    assert len(attention) == (0 if attention_stage is None else 1)
    assert all(block.position for block in attention)
    h = images.clone()
    for stage, conv in enumerate(_layers(encoder, nn.Conv2d), 1):
        h = _normalize(norms, _conv(conv, h))
        h = _pool(torch.where(h > 0, h, 0.0))
        if stage == attention_stage:
            h = attention[0](h)
    torch.testing.assert_close(encoder(images), h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "group"])
@torch.no_grad()
def test_decoder(norm):
    torch.manual_seed(0)
    decoder = _randomize(ConvDecoder(3, (4, 8), in_channels=5, norm=norm))
    features = torch.randn(2, 5, 3, 3)
    norms, (*convs, last) = _layers(decoder, nn.GroupNorm), _layers(decoder, nn.Conv2d)
    assert len(norms) == (2 if norm == "group" else 0)
    h = features.clone()
    for conv in convs:
        h = _normalize(norms, _conv(conv, h))
        h = _double(torch.where(h > 0, h, 0.0))
    torch.testing.assert_close(decoder(features), _conv(last, h), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "group"])
@torch.no_grad()
def test_image_critic(norm):
    torch.manual_seed(0)
    critic = _randomize(ImageCritic(16, 3, (4, 8, 6), norm=norm))
    images = _images(2)
    norms, (*convs, last) = _layers(critic, nn.GroupNorm), _layers(critic, nn.Conv2d)
    assert len(norms) == (2 if norm == "group" else 0)
    h = images.clone()
    for i, conv in enumerate(convs):
        h = _conv(conv, h)
        h = _normalize(norms, h) if i > 0 else h
        h = torch.where(h > 0, h, 0.2 * h)
    torch.testing.assert_close(critic(images), _conv(last, h).mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 12), (2, 3, 2, 2)])
@torch.no_grad()
def test_latent_critic(shape):
    torch.manual_seed(0)
    critic, latent = _randomize(LatentCritic(12, 5)), torch.randn(shape)
    first, last = _layers(critic, nn.Linear)
    h = latent.reshape(2, 12) @ first.weight.T + first.bias
    h = torch.where(h > 0, h, 0.0)
    torch.testing.assert_close(critic(latent), h @ last.weight.T + last.bias)


def test_image_critic_is_one_for_all_sizes():
    small, large = ImageCritic(16, 1, (4, 8)), ImageCritic(64, 1, (4, 8))
    large.load_state_dict(small.state_dict())
    flat = torch.full((1, 1, 64, 64), 0.5)
    assert large(flat).shape == (1, 1)


# ---- the bottleneck --------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_latent_vector_is_linear_in_the_whole_map():
    torch.manual_seed(0)
    bottleneck, features = _randomize(Bottleneck(3, 2, 5)), torch.randn(4, 3, 2, 2)
    inward, outward = _layers(bottleneck, nn.Linear)
    latent = bottleneck.encode(features)
    torch.testing.assert_close(latent, features.reshape(4, 12) @ inward.weight.T + inward.bias)
    expected = (latent @ outward.weight.T + outward.bias).reshape(4, 3, 2, 2)
    torch.testing.assert_close(bottleneck.decode(latent), expected)
    assert bottleneck.latent_channels == 5


@torch.no_grad()
def test_a_latent_map_is_linear_at_each_position():
    torch.manual_seed(0)
    bottleneck, features = _randomize(Bottleneck(4, 3, 2, kind="map")), torch.randn(2, 4, 3, 3)
    inward, outward = _layers(bottleneck, nn.Conv2d)
    latent = bottleneck.encode(features)
    assert latent.shape == (2, 2, 3, 3)
    restored = bottleneck.decode(latent)
    for i in range(3):
        for j in range(3):
            expected = features[:, :, i, j] @ inward.weight[:, :, 0, 0].T + inward.bias
            torch.testing.assert_close(latent[:, :, i, j], expected)
            expected = latent[:, :, i, j] @ outward.weight[:, :, 0, 0].T + outward.bias
            torch.testing.assert_close(restored[:, :, i, j], expected)


def test_a_latent_map_as_wide_as_the_features_is_the_features():
    bottleneck, features = Bottleneck(4, 3, 4, kind="map"), torch.randn(2, 4, 3, 3)
    assert torch.equal(bottleneck.encode(features), features)
    assert torch.equal(bottleneck.decode(features), features)


@pytest.mark.parametrize(("kind", "shape", "parameters"), [("vector", (4, 2), 26), ("map", (4, 2, 2, 2), 8)])
def test_without_a_way_back_the_latent_is_left_as_it_is(kind, shape, parameters):
    bottleneck = Bottleneck(3, 2, 2, kind=kind, restore=False)
    latent = bottleneck.encode(torch.randn(4, 3, 2, 2))
    assert latent.shape == shape
    assert torch.equal(bottleneck.decode(latent), latent)
    assert _count(bottleneck) == parameters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_channels": 13}, "vector of 13 is no bottleneck for a map of 3 x 2 x 2 = 12 values"),
        ({"latent_channels": 4, "kind": "map"}, "map of 4 is no bottleneck for a map of 3 channels"),
        ({"latent_channels": 2, "kind": "mean"}, "kind must be one of 'vector', 'map', got 'mean'"),
        ({"latent_channels": 0}, "latent_channels must be positive"),
        ({"latent_channels": 2, "channels": 0}, "channels must be positive"),
        ({"latent_channels": 2, "size": 0}, "size must be positive"),
    ],
)
def test_bottleneck_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bottleneck(**{"channels": 3, "size": 2, **arguments})


def test_a_latent_may_be_as_large_as_the_map():
    assert Bottleneck(3, 2, 12).encode(torch.rand(1, 3, 2, 2)).shape == (1, 12)


# ---- initial weights -------------------------------------------------------------------------------------------------


def test_initial_weights_are_he_s_and_last_layers_small():
    torch.manual_seed(0)
    encoder, decoder = AttentionEncoder(8, 64, (64, 64), attention_stage=None), ConvDecoder(64, (64,), in_channels=64)
    critic, latent_critic, bottleneck = ImageCritic(8, 64, (64, 64)), LatentCritic(512, 256), Bottleneck(64, 4, 64)
    cases = [(conv, 2.0) for conv in _layers(encoder, nn.Conv2d)]
    cases += zip(_layers(decoder, nn.Conv2d), (2.0, 0.01), strict=True)
    cases += zip(_layers(critic, nn.Conv2d), (2.0 / 1.04, 2.0 / 1.04, 0.01), strict=True)
    cases += zip(_layers(latent_critic, nn.Linear), (2.0, 0.01), strict=True)
    cases += [(linear, 1.0) for linear in _layers(bottleneck, nn.Linear)]
    for layer, variance in cases:
        fan_in = layer.weight[0].numel()
        deviation = float(layer.weight.detach().std())
        assert deviation == pytest.approx((variance / fan_in) ** 0.5, rel=0.15 if layer.weight.numel() < 1000 else 0.03)
        assert not layer.bias.any()


@torch.no_grad()
def test_first_outputs_are_close_to_zero():
    torch.manual_seed(0)
    for output in _Networks(norm="group")(_images(8)):
        assert 0.0 < float(output.abs().mean()) < 0.3


# ---- training, precision, export -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vector", "map"])
@pytest.mark.parametrize("norm", ["none", "group"])
def test_gradients_reach_every_parameter(kind, norm):
    networks = _networks(kind=kind, norm=norm).train()
    sum(output.square().sum() for output in networks(_images())).backward()
    for name, parameter in networks.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # a key's bias adds the same to all scores of a query, which the softmax does not see
        assert parameter.grad.any() or "key.bias" in name, name


@pytest.mark.parametrize("norm", ["none", "group"])
@torch.no_grad()
def test_an_image_gives_the_same_in_any_batch_and_mode(norm):
    networks, images = _networks(norm=norm), _images(5)
    for whole, *parts in zip(
        networks(images), networks(images[:1]), networks(images[1:]), networks.train()(images), strict=True
    ):
        torch.testing.assert_close(torch.cat(parts[:2]), whole)
        torch.testing.assert_close(parts[2], whole)


@pytest.mark.parametrize("kind", ["vector", "map"])
@torch.no_grad()
def test_autocast_stays_near_and_critics_answer_in_float32(kind):
    networks, images = _networks(kind=kind, norm="group"), _images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = networks(images)
    for output, expected in zip(outputs, networks(images), strict=True):
        torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
    assert outputs[1].dtype == outputs[2].dtype == torch.float32


@pytest.mark.parametrize(("kind", "norm", "position"), [("vector", "none", False), ("map", "group", True)])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(kind, norm, position):
    networks, images = _networks(kind=kind, norm=norm, position=position), _images()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(networks)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(networks, images)
    for a, b, expected in zip(scripted(images), traced(images), networks(images), strict=True):
        torch.testing.assert_close(a, expected)
        torch.testing.assert_close(b, expected)


@pytest.mark.parametrize(("kind", "norm", "position"), [("vector", "none", False), ("map", "group", True)])
@torch.no_grad()
def test_onnx_by_trace(tmp_path, kind, norm, position):
    networks, images = _networks(kind=kind, norm=norm, position=position), _images()
    results = run_as_onnx(networks, images, folder=tmp_path, any_batch=False)
    for result, expected in zip(results, networks(images), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_maximum_before_relu_has_the_gradient_of_the_published_order():
    torch.manual_seed(0)
    encoder = AttentionEncoder(8, 1, (6,), attention_stage=None)
    ours, theirs = (_images(2, 1, 8).requires_grad_() for _ in range(2))
    encoder(ours).square().sum().backward()
    (conv,) = _layers(encoder, nn.Conv2d)
    F.max_pool2d(F.relu(F.conv2d(theirs, conv.weight, conv.bias, padding=1)), 2).square().sum().backward()
    assert ours.grad.any()
    torch.testing.assert_close(ours.grad, theirs.grad)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 18}, "multiple of 4 and at least 8 for 2 channels.*got 18"),
        ({"image_size": 4}, "multiple of 4 and at least 8 for 2 channels.*got 4"),
        ({"image_size": 0}, "multiple of 4 and at least 8"),
        ({"image_size": -16}, "multiple of 4 and at least 8"),
        ({"in_channels": 0}, "in_channels must be positive and not empty, got 0"),
        ({"channels": ()}, r"channels must be positive and not empty, got \(\)"),
        ({"channels": (4, 0)}, "channels must be positive"),
        ({"attention_stage": 0}, "attention_stage must be None or from 1 to 2"),
        ({"attention_stage": 3}, "attention_stage must be None or from 1 to 2"),
        ({"norm": "batch"}, "norm must be one of 'none', 'group', got 'batch'"),
    ],
)
def test_encoder_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionEncoder(**{"image_size": 16, "in_channels": 1, "channels": (4, 4), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out_channels": 0}, "out_channels must be positive"),
        ({"in_channels": 0}, "in_channels must be positive"),
        ({"channels": ()}, "channels must be positive and not empty"),
        ({"norm": "batch"}, "norm must be one of"),
    ],
)
def test_decoder_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvDecoder(**{"out_channels": 1, "in_channels": 4, "channels": (4, 4), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 20}, "multiple of 8 and at least 16 for 3 channels.*got 20"),
        ({"image_size": 8}, "multiple of 8 and at least 16 for 3 channels.*got 8"),
        ({"in_channels": 0}, "in_channels must be positive"),
        ({"channels": ()}, "channels must be positive and not empty"),
        ({"norm": "batch"}, "norm must be one of"),
    ],
)
def test_image_critic_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageCritic(**{"image_size": 16, "in_channels": 1, "channels": (4, 4, 4), **arguments})


@pytest.mark.parametrize(("arguments", "message"), [((0,), "latent_size must be"), ((4, 0), "hidden must be")])
def test_latent_critic_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentCritic(*arguments)


def test_patches_become_channels_first_and_are_painted_last():
    torch.manual_seed(0)
    encoder = AttentionEncoder(24, 3, (6, 8), heads=2, head_dim=4, patch=3)
    decoder = ConvDecoder(3, (8, 6), in_channels=8, patch=3)
    image = torch.rand(2, 3, 24, 24)
    # channel 9 c + 3 i + j of a position is pixel (i, j) of its patch in channel c
    patches = image.reshape(2, 3, 8, 3, 8, 3).permute(0, 1, 3, 5, 2, 4).reshape(2, 27, 8, 8)
    features = encoder(image)
    assert encoder.out_size == 2
    torch.testing.assert_close(features, nn.Sequential(*list(encoder.layers)[1:])(patches))
    picture = decoder(features)
    plain = nn.Sequential(*list(decoder.layers)[:-1])(features)
    assert picture.shape == image.shape
    torch.testing.assert_close(picture, plain.reshape(2, 3, 3, 3, 8, 8).permute(0, 1, 4, 2, 5, 3).reshape(2, 3, 24, 24))


@pytest.mark.parametrize(("patch", "message"), [(5, "patch must divide the image_size of 24, got 5"), (0, "patch")])
def test_patches_must_fit(patch, message):
    with pytest.raises(ValueError, match=message):
        AttentionEncoder(24, 3, (6, 8), patch=patch)
