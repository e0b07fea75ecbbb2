# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""State dicts in files of others: what stands before their names, and other names for the same networks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from monai_anomaly.networks.nets.features.weights_file import load_tensors
from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["ANCHORS", "read_foreign_state_dict", "torchvision_names"]

ANCHORS = {
    "efficientnet_lite0": ("_conv_stem.weight",),
    "res": ("layer1.0.conv1.weight", "4.0.conv1.weight"),
    "wide_resnet": ("layer1.0.conv1.weight", "4.0.conv1.weight"),
    "efficientnet_": ("features.0.0.weight",),
    "convnext_": ("features.0.0.weight",),
    "vit_": ("encoder.layers.encoder_layer_0.ln_1.weight", "blocks.0.norm1.weight"),
}
"""Names by which the weights of a network are known, by what the network's name starts with."""

_PREFERRED = ("teacher", "encoder_q")  # of the two networks of DINO, and of MoCo

_LAYER = r"encoder.layers.encoder_layer_\1."
_TRANSFORMER_NAMES = {  # of DINO and timm
    r"cls_token": "class_token",
    r"pos_embed": "encoder.pos_embedding",
    r"patch_embed\.proj\.": "conv_proj.",
    r"norm\.": "encoder.ln.",
    r"blocks\.(\d+)\.norm": _LAYER + "ln_",
    r"blocks\.(\d+)\.attn\.qkv\.": _LAYER + "self_attention.in_proj_",
    r"blocks\.(\d+)\.attn\.proj\.": _LAYER + "self_attention.out_proj.",
    r"blocks\.(\d+)\.mlp\.fc1\.": _LAYER + "mlp.0.",
    r"blocks\.(\d+)\.mlp\.fc2\.": _LAYER + "mlp.3.",
}
_RESNET_NAMES = {  # of RadImageNet, which counts the parts
    rf"{part}\.": f"{name}."
    for part, name in enumerate(("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"))
}


def read_foreign_state_dict(path: Path, source: str, anchors: Sequence[str], cure: str) -> dict[str, Tensor]:
    """Read the weights of a network from a file, without what others put before their names.

    Args:
        path: a file of ``torch.save``: tensors by name, in mappings within mappings or not.
        source: what messages call the file.
        anchors: a name that the weights are known by, or several. What stands before it (``module.``, ``backbone.``,
            ``teacher.backbone.``) is dropped, and so is all that does not have it.
        cure: what to give instead, as the end of a sentence.

    Raises:
        WeightsError: when the file is missing or cannot be read, or holds no such weights or those of several networks.
    """
    tensors = dict(_flattened(load_tensors(path, source, cure)))
    found = {
        name[: -len(anchor)] for name in tensors for anchor in anchors if name == anchor or name.endswith(f".{anchor}")
    }
    preferred = {prefix for prefix in found if any(word in prefix.split(".") for word in _PREFERRED)}
    prefixes = sorted(preferred or found)
    if not prefixes:
        raise WeightsError(f"{source} holds no weights of this architecture ({anchors[0]!r} is missing); {cure}.")
    if len(prefixes) > 1:
        raise WeightsError(f"{source} holds several networks ({', '.join(prefixes)}); save the one to use alone.")
    prefix = prefixes[0]
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _flattened(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in mappings of mappings, with all their names joined."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _flattened(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(content, Tensor):
        yield prefix, content


def torchvision_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Call the weights as torchvision does: those of DINO's and timm's transformers, and of RadImageNet's ResNets.

    DINOv2's scales of the blocks' branches become part of the linear layers before them. Other names stay.
    """
    if "blocks.0.norm1.weight" in state:
        return {_renamed(name, _TRANSFORMER_NAMES): value for name, value in _without_layer_scale(state).items()}
    if "4.0.conv1.weight" in state:
        return {_renamed(name, _RESNET_NAMES): value for name, value in state.items()}
    return dict(state)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for pattern, replacement in names.items():
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name


def _without_layer_scale(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    merged = {name: value for name, value in state.items() if name != "mask_token"}  # of the training only
    for name in [name for name in merged if name.endswith(".gamma")]:
        gamma = merged.pop(name)
        layer = name.replace("ls1.gamma", "attn.proj").replace("ls2.gamma", "mlp.fc2")
        merged[f"{layer}.weight"] = merged[f"{layer}.weight"] * gamma[:, None]
        merged[f"{layer}.bias"] = merged[f"{layer}.bias"] * gamma
    return merged
