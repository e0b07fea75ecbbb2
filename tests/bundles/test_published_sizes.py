# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The recipes that are called published have the networks that were published, whatever switch is turned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from tests.helpers.tiny_bundles import parse

pytestmark = pytest.mark.usefixtures("at_root")


def count(*modules: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


# ---- SEPIAD --------------------------------------------------------------------------------------------------------

AT_64 = {  # the widths of the chest radiographs' configuration
    "image_size": 64,
    "channels": 1,
    "encoder_channels": [32, 64, 128, 256, 256],
    "decoder_channels": [256, 256, 128, 64, 32],
    "critic_channels": [32, 64, 128, 128, 128],
}
CIFAR = {"arch": "paper", "se": False}
SEPIAD = [  # counted on the authors' networks: encoder, decoder, critic of images
    ({}, (3_490_560, 2_846_723, 613_377)),
    ({"se_in_critic": False}, (3_490_560, 2_846_723, 603_905)),
    ({"se": False}, (3_452_672, 2_825_219, 603_905)),  # PIAD, with nothing else to be turned
    ({"se": False, "se_in_critic": True}, (3_452_672, 2_825_219, 603_905)),
    ({"se": False, **AT_64}, (3_453_376, 2_853_569, 898_497)),
    (CIFAR, (2_338_304, 2_897_539, 571_137)),
]


@pytest.mark.parametrize(("switches", "sizes"), SEPIAD)
def test_sepiad_has_the_published_networks(switches: dict[str, Any], sizes: tuple[int, int, int]):
    parser = parse("sepiad", "paper", **switches)
    network = parser.get_parsed_content("network_def")
    critic = parser.get_parsed_content("train#image_critic")
    assert (count(network.encoder), count(network.decoder), count(critic)) == sizes
    assert count(parser.get_parsed_content("train#latent_critic")) == 1_313_793
    assert parser.get_parsed_content("max_epochs") * parser.get_parsed_content("epoch_length") == 20_000


# ---- SAGAN ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", [{}, {"generator::mask": "image"}])
def test_sagan_has_the_published_networks(switches: dict[str, Any]):
    parser = parse("sagan", "paper", **switches)
    with torch.device("meta"):
        generator = parser.get_parsed_content("network_def").generator
        critic = parser.get_parsed_content("critic")
    assert (count(generator), count(critic)) == (44_758_979, 44_719_040)
    assert parser.get_parsed_content("max_epochs") * parser.get_parsed_content("epoch_length") == 50_000
    assert parser.get_parsed_content("batch_size") == 32


# ---- OCAD ----------------------------------------------------------------------------------------------------------


def test_the_reference_of_ocad_has_the_sizes_of_its_source():
    parser = parse("ocad", "reference")
    detector = parser.get_parsed_content("network_def")
    assert (count(detector.encoder), count(detector.decoder)) == (508_224, 412_867)
    assert count(detector.bottleneck) == 0  # the latent is the map
    assert count(parser.get_parsed_content("critic")) == 1_982_593
    seen = []
    (block,) = (module for module in detector.encoder.modules() if isinstance(module, SelfAttentionBlock))
    block.register_forward_hook(lambda _, inputs, output: seen.extend([inputs[0].shape, output.shape]))
    latent = detector.encoder.to("meta")(torch.empty(1, 3, 176, 176, device="meta"))
    assert seen == [(1, 128, 44, 44)] * 2
    assert latent.shape == (1, 64, 22, 22)


def test_ocad_has_the_networks_that_igd_published():
    parser = parse("ocad", "paper")
    detector = parser.get_parsed_content("network_def")
    assert (detector.image_size, detector.bottleneck.latent_channels) == (256, 128)
    assert count(detector.bottleneck) == 512 * 128 + 128
    trained = sum(parameter.numel() for parameter in detector.parameters() if parameter.requires_grad)
    assert trained == count(detector.bottleneck) + count(detector.decoder) == 10_969_027
    # 17.72 million were published, 7.86 of them scale and shift for every position, which bind the critic to 256 pixels
    assert count(parser.get_parsed_content("critic")) / 1e6 == pytest.approx(17.72 - 7.86, abs=0.01)


# ---- SimSID --------------------------------------------------------------------------------------------------------

SIMSID = [  # millions: encoder, decoders of student and teacher, trainable without the discriminator, discriminator
    ("squid", (7.86, 3.88, 44.5, 0.68)),
    ("paper", (7.86, 3.88, 46.1, 1.09)),
]


@pytest.mark.parametrize(("recipe", "sizes"), SIMSID)
def test_simsid_has_the_published_networks(recipe: str, sizes: tuple[float, float, float, float]):
    parser = parse("simsid", recipe)
    detector, teacher = parser.get_parsed_content("network_def"), parser.get_parsed_content("teacher")
    encoder, student = count(detector.generator.encoder), count(detector.generator)
    found = (encoder / 1e6, count(teacher) / 1e6, (student + count(teacher)) / 1e6, count(detector.discriminator) / 1e6)
    assert found == pytest.approx(sizes, abs=0.05, rel=0.005)
