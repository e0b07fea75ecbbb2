# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.features.backbone import Backbone, make_backbone
from monai_anomaly.networks.nets.features.backbone_features import BackboneFeatures
from monai_anomaly.networks.nets.features.make_features import make_features
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures
from monai_anomaly.utils.exceptions import ConfigError

LITE0 = "efficientnet_lite0"


def test_raw_features_are_the_backbones_stages():
    features = BackboneFeatures(LITE0, ["stage2", "stage4"])
    features.load_weights(LITE0)
    image = torch.rand(2, 1, 32, 32)
    backbone = make_backbone()
    stages = backbone(backbone.normalized(image))
    torch.testing.assert_close(features.raw(image), [stages[1], stages[3]])
    assert features.layers == ("stage2", "stage4")
    assert features.origin == backbone.origin != "random"


def test_a_state_dict_needs_no_package_to_give_the_same_features():
    features = BackboneFeatures(LITE0, ["stage3"])
    features.load_weights(LITE0)
    features.fit_statistics([torch.rand(8, 1, 32, 32)])
    other, image = BackboneFeatures(LITE0, ["stage3"]), torch.rand(2, 1, 32, 32)
    other.load_state_dict(features.state_dict())
    assert torch.equal(other(image)[0], features(image)[0])
    assert other.is_fitted and other.origin == features.origin


def test_features_of_the_normals_have_mean_0_and_deviation_1():
    features, normals = BackboneFeatures(LITE0, ["stage1"]), torch.rand(16, 1, 32, 32)
    features.load_weights(LITE0)
    features.fit_statistics(normals.split(5))
    values = features(normals)[0].double()
    torch.testing.assert_close(values.mean(dim=(0, 2, 3)), torch.zeros(16, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        values.std(dim=(0, 2, 3), correction=0), torch.ones(16, dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_new_weights_ask_for_new_statistics():
    features = BackboneFeatures(LITE0, ["stage1"])
    features.fit_statistics([torch.rand(2, 1, 32, 32)])
    features.load_weights(LITE0)
    assert not features.is_fitted


def test_stays_frozen_in_evaluation_mode():
    features = BackboneFeatures(LITE0, ["stage2"]).train()
    assert not any(m.training for m in features.modules())
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    features(image)[0].sum().backward()
    assert image.grad is not None
    assert all(p.grad is None for p in features.parameters())


def test_networks_by_name():
    vgg = make_features(width=0.1, norm=True)
    assert isinstance(vgg, VGGFeatures)
    assert (vgg.layers, vgg.width, vgg.norm) == (("r42",), 0.1, True)
    assert make_features("vgg19", ["r12"]).width == 1.0
    backbone = make_features(LITE0)
    assert isinstance(backbone, BackboneFeatures) and isinstance(backbone.backbone, Backbone)
    assert backbone.layers == ("stage5",)


def test_what_a_network_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"feature_width and feature_norm"):
        make_features(LITE0, width=0.5)
    with pytest.raises(ConfigError, match="stage1"):
        make_features(LITE0, ["r42"])
    with pytest.raises(ConfigError, match="backbone"):
        make_features("vgg16")
