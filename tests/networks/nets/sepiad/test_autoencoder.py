# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.sepiad.autoencoder import Decoder, Encoder
from monai_anomaly.networks.nets.sepiad.critics import ImageCritic, LatentCritic


def _count(module):
    return sum(p.numel() for p in module.parameters())


# Counted on the authors' networks: (constructor, arguments, parameters).
PUBLISHED = [
    (Encoder, {"image_size": 32, "in_channels": 3, "se": False}, 3_452_672),
    (Decoder, {"image_size": 32, "out_channels": 3, "se": False}, 2_825_219),
    (ImageCritic, {"image_size": 32, "in_channels": 3, "se": False}, 603_905),
    (LatentCritic, {"latent_channels": 256}, 1_313_793),
    (Encoder, {"image_size": 32, "in_channels": 3}, 3_490_560),
    (Decoder, {"image_size": 32, "out_channels": 3}, 2_846_723),
    (ImageCritic, {"image_size": 32, "in_channels": 3}, 613_377),
    (Encoder, {"image_size": 64, "in_channels": 1, "se": False}, 3_453_376),
    (Decoder, {"image_size": 64, "out_channels": 1, "se": False}, 2_853_569),
    (ImageCritic, {"image_size": 64, "in_channels": 1, "se": False}, 898_497),
    # the PIAD paper's own networks: CIFAR, MNIST, CelebA
    (Encoder, {"image_size": 32, "in_channels": 3, "se": False, "arch": "paper"}, 2_338_304),
    (Decoder, {"image_size": 32, "out_channels": 3, "se": False, "arch": "paper"}, 2_897_539),
    (ImageCritic, {"image_size": 32, "in_channels": 3, "se": False, "arch": "paper"}, 571_137),
]
PAPER_WIDTHS = [
    (32, 1, [32] * 4, 32, (73_280, 90_433, 72_769, 20_865)),
    (64, 3, [64] * 5, 64, (366_976, 435_075, 363_905, None)),
]


@pytest.mark.parametrize(("network", "arguments", "parameters"), PUBLISHED)
def test_parameter_count_is_the_published_one(network, arguments, parameters):
    assert _count(network(**arguments)) == parameters


@pytest.mark.parametrize(("size", "channels", "widths", "latent", "parameters"), PAPER_WIDTHS)
def test_parameter_count_of_the_paper_is_the_published_one(size, channels, widths, latent, parameters):
    options = {"channels": widths, "se": False, "arch": "paper"}
    networks = (
        Encoder(size, channels, latent_channels=latent, **options),
        Decoder(size, channels, latent_channels=latent, **options),
        ImageCritic(size, channels, **options),
        LatentCritic(latent),
    )
    for network, expected in zip(networks, parameters, strict=True):
        assert expected is None or _count(network) == expected


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("arch", ["residual", "paper"])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_at_every_size(size, arch, channels):
    widths = [4] * (size.bit_length() - 2)
    options = {"channels": widths, "arch": arch, "se_reduction": 8}
    image = torch.randn(2, channels, size, size)
    z = Encoder(size, channels, latent_channels=6, **options)(image)
    assert z.shape == (2, 6, 1, 1)
    assert Decoder(size, channels, latent_channels=6, **options)(z).shape == image.shape
    assert ImageCritic(size, channels, **options)(image).shape == (2, 1)
    assert LatentCritic(6)(z).shape == (2, 1)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_default_lists_have_the_right_length(size):
    with torch.device("meta"):
        assert Encoder(size)(torch.empty(1, 1, size, size)).shape == (1, 256, 1, 1)
        assert Decoder(size)(torch.empty(1, 256, 1, 1)).shape == (1, 1, size, size)
        assert ImageCritic(size)(torch.empty(1, 1, size, size)).shape == (1, 1)


def test_gates_follow_stem_and_each_down_or_up():
    def gates(network):
        return sum(type(m).__name__ == "SqueezeExcitation" for m in network.modules())

    widths = [8] * 4
    assert gates(Encoder(32, channels=widths)) == 4
    assert gates(Decoder(32, channels=widths)) == 3
    assert gates(ImageCritic(32, channels=widths)) == 4
    assert gates(ImageCritic(32, channels=widths, se=False)) == 0


def test_convolutions_start_kaiming_normal_by_fan_out():
    torch.manual_seed(0)
    last = [m for m in Encoder(32, se=False).modules() if isinstance(m, torch.nn.Conv2d)][-1]
    expected = (2 / (1 + 0.2**2) / (256 * 16)) ** 0.5
    assert float(last.weight.detach().std()) == pytest.approx(expected, rel=0.01)
    assert abs(float(last.weight.detach().mean())) < 0.01 * expected


def test_only_the_paper_critic_mixes_a_batch():
    torch.manual_seed(0)
    image = torch.randn(4, 1, 32, 32)
    for arch in ("residual", "paper"):
        critic = ImageCritic(32, channels=[8] * 4, arch=arch)
        depends = not torch.allclose(critic(image)[:2], critic(image[:2]), atol=1e-5)
        assert depends == critic.mixes_batch == (arch == "paper")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 48}, "image_size must be one of"),
        ({"in_channels": 2}, r"in_channels must be 1 \(gray\) or 3"),
        ({"arch": "resnet"}, "arch must be one of"),
        ({"channels": [8] * 4}, "must have 5 entries for image_size 64"),
        ({"channels": [8] * 6}, "must have 5 entries for image_size 64"),
        ({"channels": [8, 8, 0, 8, 8]}, "must be positive"),
        ({"latent_channels": 0}, "latent_channels"),
        ({"minibatch_stddev": True}, "only with arch='paper'"),
    ],
)
def test_encoder_refuses_what_does_not_exist(arguments, message):
    with pytest.raises(ValueError, match=message):
        Encoder(**arguments)


def test_errors_name_the_network():
    with pytest.raises(ValueError, match="decoder channels must have 5 entries"):
        Decoder(64, channels=[8] * 4)
    with pytest.raises(ValueError, match="critic channels must have 5 entries"):
        ImageCritic(64, channels=[8] * 4)
    with pytest.raises(ValueError, match="at least 1"):
        LatentCritic(4, hidden_channels=[0])
