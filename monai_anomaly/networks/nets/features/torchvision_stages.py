# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""torchvision's networks for images, as stages of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from monai_anomaly.networks.nets.features.stages import Stages
from monai_anomaly.networks.nets.features.transformer_stages import TransformerStages
from monai_anomaly.networks.nets.features.weights_file import entry
from monai_anomaly.utils.exceptions import ConfigError, WeightsError

__all__ = [
    "FAMILIES",
    "OTHER_TRANSFORMERS",
    "fold_batch_norm",
    "load_torchvision_weights",
    "torchvision_network",
    "torchvision_stage_names",
    "torchvision_stages",
]

FAMILIES = ("resnet", "resnext", "wide_resnet", "efficientnet_", "convnext_", "vit_")
"""What the names of the networks start with."""

_HEADS = ("fc", "classifier", "heads", "head")
_SMALL, _BASE, _LARGE = (12, 6, 384), (12, 12, 768), (24, 16, 1024)
OTHER_TRANSFORMERS = {
    **{"vit_s_16": _SMALL, "vit_s_8": _SMALL, "vit_b_8": _BASE},
    **{"vit_s_14": _SMALL, "vit_b_14": _BASE, "vit_l_14": _LARGE},
}
"""Blocks, heads and width of the transformers of DINO and DINOv2 that torchvision has no name for."""


def torchvision_network(name: str, image_size: int) -> nn.Module:
    """Make torchvision's network, with random weights and no classifier.

    Args:
        name: as torchvision calls it, or a key of ``OTHER_TRANSFORMERS``.
        image_size: height and width of the images, which a transformer's positions are for.

    Raises:
        ConfigError: on a name that is not known, or images that a transformer's patches do not fill.
    """
    from torchvision import models  # takes longer than all scoring of an image

    if name not in OTHER_TRANSFORMERS and (not name.startswith(FAMILIES) or name not in models.list_models(models)):
        raise ConfigError(
            f"backbone must be efficientnet_lite0 or one of torchvision's names that start with "
            f"{', '.join(FAMILIES)}; got {name!r}."
        )
    if not name.startswith("vit_"):
        network = models.get_model(name, weights=None)
    else:
        patch = int(name.rpartition("_")[2])
        if image_size % patch != 0:
            raise ConfigError(f"{name} needs an image_size that is a multiple of {patch}, got {image_size}.")
        if name in OTHER_TRANSFORMERS:
            blocks, heads, width = OTHER_TRANSFORMERS[name]
            network = models.VisionTransformer(image_size, patch, blocks, heads, width, 4 * width)
        else:
            network = models.get_model(name, weights=None, image_size=image_size)
    for head in _HEADS:
        if hasattr(network, head):
            setattr(network, head, nn.Identity())
    return network.eval()


def torchvision_stage_names(network: nn.Module) -> list[str]:
    """Name the stages of a network of ``torchvision_network``, from shallow to deep."""
    kind = type(network).__name__
    if kind == "EfficientNet":
        return [f"stage{i + 1}" for i in range(len(network.features) - 2)] + ["head"]  # type: ignore[arg-type]
    return ["stage1", "stage2", "stage3", "stage4"]


def torchvision_stages(network: nn.Module, count: int) -> nn.Module:
    """Cut a network of ``torchvision_network`` into its stages, batch normalization folded into the convolutions.

    Args:
        network: the network; its parts are taken over.
        count: how many stages to keep; what lies deeper is dropped.
    """
    fold_batch_norm(network)
    parts: Any = network
    kind = type(network).__name__
    if kind == "VisionTransformer":
        return TransformerStages(parts, count)
    if kind == "ResNet":
        stem = nn.Sequential(parts.conv1, parts.bn1, parts.relu, parts.maxpool, parts.layer1)
        stages = [stem, parts.layer2, parts.layer3, parts.layer4]
    elif kind == "ConvNeXt":  # a stem or a downsampling before each stage
        stages = [parts.features[i : i + 2] for i in range(0, len(parts.features), 2)]
    else:  # EfficientNet: its stem belongs to the first stage
        stages = [parts.features[:2], *parts.features[2:]]
    return Stages(stages[:count])


def fold_batch_norm(network: nn.Module) -> None:
    """Fold each batch normalization into the convolution that is registered right before it, in place.

    So torchvision registers them: the output stays what it was in evaluation mode.
    """
    for parent in list(network.modules()):
        before, convolution = "", None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
                setattr(parent, before, fuse_conv_bn_eval(convolution, child))
                setattr(parent, name, nn.Identity())
            before, convolution = name, child


def load_torchvision_weights(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load weights into a network of ``torchvision_network``; a transformer's positions are resampled to its size.

    Args:
        network: the network to fill.
        state: weights by torchvision's names, with a classifier or without.
        source: what messages call the weights.

    Raises:
        WeightsError: with the name of what is missing, is too much, or has another shape.
    """
    state = {key: value for key, value in state.items() if key.partition(".")[0] not in _HEADS}
    if "encoder.pos_embedding" in state and type(network).__name__ == "VisionTransformer":
        from torchvision.models.vision_transformer import interpolate_embeddings

        parts: Any = network
        state = interpolate_embeddings(parts.image_size, parts.patch_size, state)
    needed = network.state_dict()
    for key, value in needed.items():
        if not key.endswith("num_batches_tracked"):
            entry(state, key, value.shape, source)
    extra = sorted(state.keys() - needed.keys())
    if extra:
        raise WeightsError(f"{source}: {extra[0]!r} is no part of this architecture; give the weights of it.")
    network.load_state_dict(state, strict=False)  # but for the counters of batches, all is there
