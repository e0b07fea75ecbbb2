# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.models import VGG19_BN_Weights, VGG19_Weights, vgg19, vgg19_bn

from monai_anomaly.networks.nets.features import vgg_features
from monai_anomaly.networks.nets.features.vgg_features import VGG_LAYERS, VGGFeatures, load_feature_weights
from monai_anomaly.utils.exceptions import WeightsError
from tests.helpers.trained_models import assert_same

SMALL = {"layers": ("r12", "r22"), "width": 0.125}


def _small(seed=0, **options):
    torch.manual_seed(seed)
    return VGGFeatures(**{**SMALL, **options})


@pytest.fixture(scope="module")
def torchvision_vgg():
    """torchvision's layers as built by its own code, without the fully connected ones' 480 MB."""
    torch.manual_seed(0)
    with torch.device("meta"):
        network = vgg19(weights=None)
    layers = network.features[:23].to_empty(device="cpu")
    for layer in layers:
        if hasattr(layer, "weight"):
            torch.nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            torch.nn.init.uniform_(layer.bias, -0.1, 0.1)
    return layers.eval()


def test_equals_torchvision_with_the_same_weights(torchvision_vgg, tmp_path):
    file = tmp_path / "vgg19.pt"
    torch.save({f"features.{k}": v for k, v in torchvision_vgg.state_dict().items()}, file)
    features = VGGFeatures(("r12", "r22", "r32", "r42"))
    load_feature_weights(features, str(file))
    image = torch.rand(2, 3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = (image - mean) / std
    for depth, result in zip((4, 9, 14, 23), features(image), strict=True):
        torch.testing.assert_close(result, torchvision_vgg[:depth](x), rtol=1e-4, atol=1e-5)
    assert features.origin.startswith("file sha256 ")
    assert str(tmp_path) not in features.origin


@pytest.mark.parametrize(("norm", "build"), [(False, vgg19), (True, vgg19_bn)])
@pytest.mark.parametrize("layer", VGG_LAYERS)
def test_layout_is_torchvisions_and_ends_at_the_relu(norm, build, layer):
    with torch.device("meta"):
        reference = build(weights=None).features
        own, taps, channels = vgg_features._vgg_layers(layer, 1.0, norm)
    assert [repr(m) for m in own] == [repr(m) for m in reference][: len(own)]
    assert taps[layer] == len(own) - 1
    assert isinstance(own[-1], torch.nn.ReLU)
    assert channels == [m.out_channels for m in own if isinstance(m, torch.nn.Conv2d)]


def test_width_scales_all_channels():
    features = VGGFeatures(("r12", "r42"), 0.25, norm=True)
    shapes = [tuple(f.shape) for f in features(torch.rand(1, 1, 32, 32))]
    assert shapes == [(1, 16, 32, 32), (1, 128, 4, 4)]


def test_gray_equals_the_same_image_in_three_channels():
    features, gray = _small(), torch.rand(2, 1, 16, 16)
    for a, b in zip(features(gray), features(gray.repeat(1, 3, 1, 1)), strict=True):
        torch.testing.assert_close(a, b)


def test_stays_frozen_in_evaluation_mode():
    features = _small(norm=True)
    parent = torch.nn.Sequential(features).train()
    assert not any(m.training for m in features.modules())
    assert not any(p.requires_grad for p in parent.parameters())
    before = copy.deepcopy(features.state_dict())
    image = torch.rand(4, 1, 16, 16, requires_grad=True)
    features(image)[1].sum().backward()
    assert image.grad is not None
    assert_same(features.state_dict(), before)


def test_statistics_are_those_of_all_images_at_once():
    features = _small()
    images = torch.rand(11, 1, 16, 16)
    raw = [f.double().numpy() for f in features.raw(images)]
    features.fit_statistics(images.split(4))
    for statistics, values in zip(features.statistics, raw, strict=True):
        deviation = values.std(axis=(0, 2, 3))
        floored = np.maximum(deviation, 0.01 * deviation.mean())
        np.testing.assert_allclose(statistics.mean.flatten(), values.mean(axis=(0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(statistics.std.flatten(), floored, rtol=1e-6)
    assert features.is_fitted
    normalized = features(images)[1]
    assert float(normalized.mean()) == pytest.approx(0.0, abs=1e-4)


def test_dead_channel_does_not_decide_alone():
    features = _small()
    with torch.no_grad():
        features.features[0].weight[:] = 0.0
        features.features[2].weight[:] = 0.0
        features.features[2].bias.copy_(torch.arange(8) - 4.0)
    features.fit_statistics([torch.rand(4, 1, 16, 16)])  # every feature of r12 is constant
    assert all(torch.isfinite(f).all() for f in features(torch.rand(4, 1, 16, 16)))
    assert float(features.statistics[0].std.min()) > 0.0


def test_no_images_is_an_error():
    with pytest.raises(ValueError, match="at least one image"):
        _small().fit_statistics([])


def test_images_with_nan_are_an_error():
    with pytest.raises(ValueError, match="not finite"):
        _small().fit_statistics([torch.full((1, 1, 16, 16), float("nan"))])


def test_state_dict_carries_statistics_and_origin(tmp_path):
    features, image = _small(1), torch.rand(2, 1, 16, 16)
    features.fit_statistics([torch.rand(8, 1, 16, 16)])
    features.origin = "self-supervised, 7 steps"
    file = tmp_path / "features.pt"
    torch.save({"model": features.state_dict()}, file)
    other = _small(2)
    load_feature_weights(other, str(file))
    assert other.is_fitted
    assert other.origin == "self-supervised, 7 steps"
    for a, b in zip(features(image), other(image), strict=True):
        assert torch.equal(a, b)


def test_own_file_of_deeper_layers_gives_weights_without_statistics(tmp_path):
    deep = _small(1, layers=("r22", "r32"))
    deep.fit_statistics([torch.rand(8, 1, 16, 16)])
    torch.save(deep.state_dict(), tmp_path / "deep.pt")
    features = _small(2, layers=("r22",))
    load_feature_weights(features, str(tmp_path / "deep.pt"))
    assert not features.is_fitted
    image = torch.rand(1, 1, 16, 16)
    assert torch.equal(features.raw(image)[0], deep.raw(image)[0])


def test_a_checkpoint_cannot_bring_an_origin_of_any_length():
    features = VGGFeatures(("r11",), 0.1)
    features.load_state_dict(features.state_dict() | {"_extra_state": {"origin": "x" * 200}})
    assert features.origin == "x" * 128


def test_random_weights_warn():
    features = _small()
    with pytest.warns(UserWarning, match="tests only"):
        load_feature_weights(features, "random")
    assert features.origin == "random"


def test_imagenet_without_a_network_names_the_alternatives(monkeypatch):
    class Unreachable:
        IMAGENET1K_V1 = None

        def get_state_dict(self, **_):
            raise OSError("no route")

        def __str__(self):
            return "VGG19_Weights.IMAGENET1K_V1"

    Unreachable.IMAGENET1K_V1 = Unreachable()
    monkeypatch.setattr("torchvision.models.VGG19_Weights", Unreachable)
    with pytest.raises(RuntimeError, match=r"no route.*state dict file.*self_supervised"):
        load_feature_weights(VGGFeatures(("r12",)), "imagenet")


def test_imagenet_takes_torchvisions_weights_of_the_right_kind(monkeypatch):
    asked = []

    def fake(self, **_):
        asked.append(str(self))
        with torch.device("cpu"):
            network = VGGFeatures(("r12",), norm="BN" in str(self))
        return network.features.state_dict(prefix="features.")

    monkeypatch.setattr(VGG19_Weights, "get_state_dict", fake)
    monkeypatch.setattr(VGG19_BN_Weights, "get_state_dict", fake)
    for norm in (False, True):
        features = VGGFeatures(("r12",), norm=norm)
        load_feature_weights(features, "imagenet")
        assert features.origin == f"imagenet {asked[-1]}"
    assert asked == ["VGG19_Weights.IMAGENET1K_V1", "VGG19_BN_Weights.IMAGENET1K_V1"]


def test_imagenet_needs_full_width():
    with pytest.raises(WeightsError, match=r"needs width 1\.0, got 0\.125"):
        load_feature_weights(_small(), "imagenet")


def test_file_errors_name_file_and_cure(tmp_path):
    features = _small()
    with pytest.raises(WeightsError, match="no such file"):
        load_feature_weights(features, str(tmp_path / "missing.pt"))
    garbage = tmp_path / "garbage.pt"
    garbage.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"garbage\.pt.*cannot be read"):
        load_feature_weights(features, str(garbage))
    unsafe = tmp_path / "unsafe.pt"
    torch.save(features, unsafe)  # a pickled module
    with pytest.raises(WeightsError, match="cannot be read as a state dict"):
        load_feature_weights(features, str(unsafe))
    torch.save({"model": {"weight": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="hold no VGG layers"):
        load_feature_weights(features, str(tmp_path / "other.pt"))


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"width": 0.25}, r"has shape \(16, 3, 3, 3\).*width=0\.125.*need \(8, 3, 3, 3\)"),
        ({"layers": ("r12",)}, r"'features\.5\.weight' is missing.*deepest layer"),
        ({"norm": True}, r"norm=False"),
    ],
)
def test_weights_of_another_layout_are_refused_and_nothing_is_loaded(tmp_path, saved, message):
    torch.save(_small(1, **saved).state_dict(), tmp_path / "weights.pt")
    features = _small(2)
    before = copy.deepcopy(features.state_dict())
    with pytest.raises(WeightsError, match=message):
        load_feature_weights(features, str(tmp_path / "weights.pt"))
    assert_same(features.state_dict(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": ("r45",)}, r"got \['r45'\]"),
        ({"layers": ()}, "names out of"),
        ({"layers": ("r42", "r32")}, "from shallow to deep"),
        ({"layers": ("r32", "r32")}, "once each"),
        ({"width": 0.0}, "width"),
    ],
)
def test_refuses_layers_and_widths_that_do_not_exist(arguments, message):
    with pytest.raises(ValueError, match=message):
        VGGFeatures(**arguments)


def test_low_precision_features_come_out_in_float32():
    features = _small()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = features(torch.rand(1, 1, 16, 16))
    assert all(f.dtype == torch.float32 for f in result)


def test_pools_match_a_functional_pass():
    features, image = _small(), torch.rand(1, 1, 16, 16)
    f = features.features
    mean, std = features.input_mean, features.input_std
    x = F.relu(f[2](F.relu(f[0]((image - mean) / std))))
    torch.testing.assert_close(features(image)[0], x)
