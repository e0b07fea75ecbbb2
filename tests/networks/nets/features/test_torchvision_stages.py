# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from monai_anomaly.networks.nets.features.backbone import Backbone, load_backbone_weights, make_backbone
from monai_anomaly.networks.nets.features.pretrained_weights import INPUT_SCALES, own_scale
from monai_anomaly.networks.nets.features.torchvision_stages import FAMILIES, torchvision_network
from monai_anomaly.utils.exceptions import ConfigError, WeightsError

NODES = {
    "resnet18": [f"layer{i}" for i in range(1, 5)],
    "efficientnet_b0": [f"features.{i}" for i in range(1, 9)],
    "convnext_tiny": [f"features.{i}" for i in (1, 3, 5, 7)],
}


def _randomized(network, seed=0):
    """The network with weights and running statistics that nothing else has."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for part in (module.weight, module.running_var):
                    part.copy_(0.5 + torch.rand(part.shape, generator=generator))
                for part in (module.bias, module.running_mean):
                    part.copy_(torch.randn(part.shape, generator=generator))
    return network.eval().requires_grad_(False)


@pytest.fixture
def published(monkeypatch):
    """Publish a network's weights as torchvision's of any name; returns how to, and which were asked for."""
    asked = []

    def publish(network):
        def fake(self, **_):
            asked.append(str(self))
            return network.state_dict()

        monkeypatch.setattr(models.WeightsEnum, "get_state_dict", fake)
        return asked

    return publish


@pytest.mark.parametrize("name", sorted(NODES))
def test_equals_torchvision_with_the_same_weights(name, published):
    network = _randomized(models.get_model(name, weights=None))
    asked = published(network)
    backbone = make_backbone(name)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = create_feature_extractor(network, NODES[name])(image)
    for (stage, channels), found, node in zip(
        backbone.stage_channels.items(), backbone(image), expected.values(), strict=True
    ):
        torch.testing.assert_close(found, node, rtol=1e-3, atol=1e-3 * float(node.abs().max()), msg=stage)
        assert channels == node.shape[1]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in backbone.modules())
    assert backbone.origin == f"torchvision {asked[0]}"


def test_a_transformer_reads_tokens_as_a_grid_at_the_size_of_the_images(tmp_path):
    network = models.VisionTransformer(48, 16, num_layers=12, num_heads=6, hidden_dim=384, mlp_dim=1536).eval()
    torch.save(network.state_dict(), tmp_path / "vit.pth")
    backbone = make_backbone("vit_s_16", str(tmp_path / "vit.pth"), ["stage2", "stage4"], image_size=48)
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    tokens = []
    for block in (5, 11):
        network.encoder.layers[block].register_forward_hook(lambda _module, _input, output: tokens.append(output))
    network(image)
    for found, after in zip(backbone(image), tokens, strict=True):
        assert found.shape == (1, 384, 3, 3)
        expected = network.encoder.ln(after)[:, 1:]
        torch.testing.assert_close(found.flatten(2).mT, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["vit_s_16", "convnext_tiny"])
def test_scripted_equals(name):
    backbone, image = Backbone(name, ["stage1"], image_size=32), torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(torch.jit.script(backbone)(image), backbone(image))


def test_named_weights_are_those_and_no_weights_the_default(published):
    network = models.resnet18(weights=None)
    asked = published(network)
    make_backbone("resnet18", "IMAGENET1K_V1", ["stage1"])
    with pytest.raises(WeightsError, match=r"ResNet50_Weights.IMAGENET1K_V2: .layer1.0.conv1.weight. has shape"):
        make_backbone("resnet50", stages=["stage1"])
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V2"]


def test_without_internet_the_sentence_names_the_alternatives(monkeypatch):
    def unreachable(self, **_):
        raise OSError("no route")

    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", unreachable)
    with pytest.raises(WeightsError, match=r"ResNet18_Weights.*no route.*backbone_weights.*efficientnet_lite0"):
        make_backbone("resnet18", stages=["stage1"])


def test_only_the_whole_weights_move_to_another_backbone_by_its_state_dict(published):
    published(_randomized(models.resnet18(weights=None)))
    backbone, other = make_backbone("resnet18", stages=["stage2"]), Backbone("resnet18", ["stage2"])
    other.load_state_dict(backbone.state_dict())
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(other(image)[0], backbone(image)[0])
    assert other.origin == "torchvision ResNet18_Weights.IMAGENET1K_V1"


def test_the_input_scale_of_every_name_is_that_of_torchvisions_transforms():
    for name in models.list_models(models):
        if name.startswith(FAMILIES):
            for weights in models.get_model_weights(name):
                preset = weights.transforms()
                assert INPUT_SCALES[own_scale(name)] == (tuple(preset.mean), tuple(preset.std)), weights


def test_the_input_scale_can_be_named(published):
    published(models.resnet18(weights=None))
    backbone = make_backbone("resnet18", stages=["stage1"], input_scale="symmetric")
    torch.testing.assert_close(backbone.normalized(torch.tensor([[[[0.0, 1.0]]]]))[0, 2], torch.tensor([[-1.0, 1.0]]))
    with pytest.raises(ConfigError, match="backbone_input must be published, imagenet"):
        load_backbone_weights(backbone, input_scale="caffe")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [("resnet19", 128, "got 'resnet19'"), ("vgg19", 128, "start with"), ("vit_s_16", 100, "multiple of 16, got 100")],
)
def test_names_and_sizes_that_can_not_be_are_refused(name, size, message):
    with pytest.raises(ConfigError, match=message):
        Backbone(name, image_size=size)


def test_transformers_without_published_weights_need_a_file():
    with pytest.raises(WeightsError, match="no weights of vit_s_16; give backbone_weights"):
        make_backbone("vit_s_16", image_size=32)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("vit_s_8", 21.7), ("vit_s_14", 22.1), ("vit_b_8", 85.8), ("vit_b_14", 86.6), ("vit_l_14", 304.3)],
)
def test_the_transformers_of_dino_have_their_published_sizes(name, millions):
    with torch.device("meta"):
        network = torchvision_network(name, image_size=224 if name.endswith("8") else 518)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
