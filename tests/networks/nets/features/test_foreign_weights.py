# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from monai_anomaly.networks.nets.features.backbone import make_backbone
from monai_anomaly.utils.exceptions import WeightsError

WIDTH, HEADS, BLOCKS, PATCH = 384, 6, 12, 16


def _dino_state_dict(grid):
    """Weights of a small transformer by DINO's names, with the layer scale of DINOv2, for ``grid x grid`` patches."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator) * 0.05

    state = {
        "cls_token": random(1, 1, WIDTH),
        "pos_embed": random(1, 1 + grid * grid, WIDTH),
        "mask_token": random(1, WIDTH),
        "patch_embed.proj.weight": random(WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": random(WIDTH),
        "norm.weight": 1.0 + random(WIDTH),
        "norm.bias": random(WIDTH),
    }
    for block in range(BLOCKS):
        shapes = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), "mlp.fc1": (4 * WIDTH, WIDTH)}
        for name, shape in {**shapes, "mlp.fc2": (WIDTH, 4 * WIDTH), "norm1": (WIDTH,), "norm2": (WIDTH,)}.items():
            state[f"blocks.{block}.{name}.weight"] = random(*shape) + (name.startswith("norm"))
            state[f"blocks.{block}.{name}.bias"] = random(shape[0])
        for branch in ("ls1", "ls2"):
            state[f"blocks.{block}.{branch}.gamma"] = 1.0 + random(WIDTH)
    return state


def _dino(image, state, after):
    """Tokens of the patches after so many blocks, normalized: DINO's network in functions alone."""
    x = F.conv2d(image, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=PATCH)
    x = torch.cat([state["cls_token"].expand(len(x), -1, -1), x.flatten(2).mT], dim=1) + state["pos_embed"]

    def layer(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)

    for block in range(after):
        name = f"blocks.{block}"
        qkv = layer(norm(x, f"{name}.norm1"), f"{name}.attn.qkv")
        q, k, v = qkv.unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        attended = ((q @ k.mT / (WIDTH // HEADS) ** 0.5).softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        x = x + state[f"{name}.ls1.gamma"] * layer(attended, f"{name}.attn.proj")
        hidden = F.gelu(layer(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
        x = x + state[f"{name}.ls2.gamma"] * layer(hidden, f"{name}.mlp.fc2")
    return norm(x, "norm")[:, 1:]


def test_a_checkpoint_of_dino_gives_its_teachers_tokens(tmp_path):
    state = _dino_state_dict(grid=2)
    student = {f"module.backbone.{key}": torch.zeros_like(value) for key, value in state.items()}
    teacher = {f"backbone.{key}": value for key, value in state.items()} | {"head.mlp.0.weight": torch.zeros(3, 3)}
    torch.save({"student": student, "teacher": teacher, "epoch": 7}, tmp_path / "dino.pth")
    backbone = make_backbone("vit_s_16", str(tmp_path / "dino.pth"), ["stage1", "stage4"], image_size=32)
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for found, after in zip(backbone(image), (3, 12), strict=True):
        torch.testing.assert_close(found.flatten(2).mT, _dino(image, state, after), rtol=1e-3, atol=1e-3)
    assert backbone.origin.startswith("file sha256 ")
    assert str(tmp_path) not in backbone.origin


def test_positions_are_resampled_to_the_size_of_the_images(tmp_path):
    state = _dino_state_dict(grid=3)
    state["pos_embed"][:] = state["pos_embed"][:, :1]  # the same everywhere, so on any grid
    torch.save(state, tmp_path / "dino.pth")
    backbone = make_backbone("vit_s_16", str(tmp_path / "dino.pth"), ["stage1"], image_size=32)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = _dino(image, {**state, "pos_embed": state["pos_embed"][:, :1]}, 3)
    torch.testing.assert_close(backbone(image)[0].flatten(2).mT, expected, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def resnet():
    return models.resnet18(weights=None, num_classes=165).eval()


def _radimagenet(network):
    parts = nn.Sequential(*list(network.children())[:9])
    return {f"backbone.{key}": value for key, value in parts.state_dict().items()} | {"fc.bias": torch.zeros(165)}


LAYOUTS = {
    "plain with another classifier": lambda network: network.state_dict(),
    "of a training on several GPUs": lambda network: {
        "state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}
    },
    "counted parts": _radimagenet,
    "MoCo's two networks": lambda network: {
        **{f"encoder_q.{key}": value for key, value in network.state_dict().items()},
        **{f"encoder_k.{key}": torch.zeros_like(value) for key, value in network.state_dict().items()},
    },
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_resnet_is_known_in_any_layout(layout, resnet, tmp_path):
    torch.save(layout(resnet), tmp_path / "resnet.pth")
    backbone = make_backbone("resnet18", str(tmp_path / "resnet.pth"))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = F.adaptive_avg_pool2d(backbone(image)[-1], 1).flatten(1)
    torch.testing.assert_close(resnet.fc(expected), resnet(image), rtol=1e-4, atol=1e-4)


def _without(key):
    return lambda state: {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without("layer3.0.bn2.running_var"), r"'layer3.0.bn2.running_var' is missing"),
        (_without("layer1.0.conv1.weight"), r"holds no weights of this architecture"),
        (lambda state: {**state, "layer4.0.se.weight": torch.zeros(1)}, r"'layer4.0.se.weight' is no part"),
        (
            lambda state: {**state, "conv1.weight": torch.zeros(64, 1, 7, 7)},
            r"'conv1.weight' has shape \(64, 1, 7, 7\)",
        ),
        (lambda state: {"a": state, "b": state}, r"several networks \(a., b.\); save the one"),
        (lambda state: {"network": [1, 2]}, r"holds no weights"),
    ],
)
def test_other_files_are_refused_by_the_name_of_what_is_wrong(damage, message, resnet, tmp_path):
    torch.save(damage(resnet.state_dict()), tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match=message):
        make_backbone("resnet18", str(tmp_path / "resnet.pth"), ["stage1"])
