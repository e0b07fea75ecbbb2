# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from monai_anomaly.networks.nets.features.architectures import cut, fill, stage_names, whole_network
from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0
from monai_anomaly.networks.nets.features.pretrained_weights import (
    INPUT_SCALES,
    PUBLISHED,
    own_scale,
    pretrained_weights,
)
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Backbone", "load_backbone_weights", "make_backbone"]

_ORIGIN_LENGTH = 128


class Backbone(nn.Module):
    """Frozen network whose stages are features: pretrained on other images, always in evaluation mode.

    A new instance has random weights, and takes those of a checkpoint with its state dict; ``make_backbone`` gives it
    pretrained ones. Its state dict says where they are from, and how they expect their input.

    Batch normalization is folded into the convolutions. The stages lie in memory as is fastest on a CPU, channels last:
    ``flatten`` and ``reshape`` them, not ``view``.

    Args:
        name: "efficientnet_lite0" (stages "stage1" to "stage7" and "head"), or a ResNet, ConvNeXt or vision transformer
            ("stage1" to "stage4") or an EfficientNet (as many as it has, and "head") by torchvision's name, or a
            transformer of DINO or DINOv2 ("vit_s_16", "vit_b_14"...).
        stages: which stages to return, from shallow to deep; all by default. What lies deeper is not computed.
        image_size: height and width of the images; it matters to transformers only.

    Attributes:
        stages: the names of the stages that ``forward`` returns.
        stage_channels: C of each.
        origin: where the weights are from.

    Raises:
        ConfigError: on a name or stage that is not known.
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        input_mean: Tensor
        input_std: Tensor

    def __init__(self, name: str = LITE0, stages: Sequence[str] | None = None, *, image_size: int = 128) -> None:
        super().__init__()
        network = whole_network(name, image_size)
        known = stage_names(network)
        asked = tuple(known) if stages is None else tuple(stages)
        if not asked or any(stage not in known for stage in asked):
            raise ConfigError(f"stages of {name} must be names out of {', '.join(known)}; got {list(asked)}.")
        if list(asked) != sorted(set(asked), key=known.index):
            raise ConfigError(f"stages must be listed once each, from shallow to deep; got {list(asked)}.")
        self.name = name
        self.image_size = image_size
        self.stages = asked
        self.taps = [known.index(stage) for stage in asked]
        self.network = cut(network, self.taps[-1] + 1)
        mean, std = INPUT_SCALES[own_scale(name)]
        self.register_buffer("input_mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor(std).reshape(1, 3, 1, 1))
        self.origin = "random"
        self.requires_grad_(False)
        self.eval()
        with torch.no_grad():
            features = self(torch.zeros(1, 3, image_size, image_size))
        self.stage_channels = {stage: feature.shape[1] for stage, feature in zip(asked, features, strict=True)}

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: the features are frozen."""
        return super().train(False)

    def get_extra_state(self) -> dict[str, str]:
        """Return the weights' origin, so that every checkpoint says it."""
        return {"origin": self.origin}

    def set_extra_state(self, state: Mapping[str, str]) -> None:
        """Take over the weights' origin, at most 128 characters of it."""
        self.origin = str(state["origin"])[:_ORIGIN_LENGTH]

    @torch.jit.export
    def normalized(self, image: Tensor) -> Tensor:
        """Image ``(B, 1 or 3, H, W)`` in [0, 1] to ``(B, 3, H, W)`` on the scale that the weights were trained on."""
        return (image - self.input_mean) / self.input_std  # repeats a single channel

    @torch.jit.export
    def z_scored(self, image: Tensor) -> Tensor:
        """Image ``(B, 1 or 3, H, W)`` to ``(B, 3, H, W)`` with mean 0 and deviation 1 of each image, channels together.

        Brightness and contrast of the machine are gone. The deviation is at least .001 of the image's scale.
        """
        std, mean = torch.std_mean(image, dim=(1, 2, 3), correction=0, keepdim=True)
        # a quarter of a gray level of 8 bits: an empty image stays empty
        return ((image - mean) / std.clamp(min=1e-3)).expand(-1, 3, -1, -1)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the stages of images ``(B, 3, H, W)``, as ``normalized`` or ``z_scored`` makes them.

        Returns:
            One ``(B, C, h, w)`` for each of ``stages``.
        """
        outputs = self.network(image.contiguous(memory_format=torch.channels_last))
        return [outputs[tap] for tap in self.taps]


def make_backbone(
    name: str = LITE0,
    weights: str | None = None,
    stages: Sequence[str] | None = None,
    *,
    image_size: int = 128,
    input_scale: str = PUBLISHED,
) -> Backbone:
    """Make a backbone with pretrained weights; all arguments are those of the class and of the function below."""
    backbone = Backbone(name, stages, image_size=image_size)
    load_backbone_weights(backbone, weights, input_scale=input_scale)
    return backbone


def load_backbone_weights(backbone: Backbone, weights: str | None = None, *, input_scale: str = PUBLISHED) -> None:
    """Load pretrained weights into a backbone, and record their origin in it.

    Args:
        backbone: the backbone to fill.
        weights: None for those that belong to the name: of efficientnet_lite0 the ones that the extra ``pretrained``
            installs, else torchvision's (from its cache, or downloaded). Or the name of other ones of torchvision
            ("IMAGENET1K_V1"), the path of a state dict of this architecture (torchvision's names, DINO's, or
            RadImageNet's, with a classifier or without), or "random" (tests only, warns).
        input_scale: a key of ``INPUT_SCALES``, or "published" for what the published weights of the name expect.

    Raises:
        ConfigError: on an input scale that is not known.
        WeightsError: when the weights are missing or not of this architecture, or can not be downloaded.
    """
    if input_scale not in (PUBLISHED, *INPUT_SCALES):
        raise ConfigError(f"backbone_input must be {PUBLISHED}, {', '.join(INPUT_SCALES)}; got {input_scale!r}.")
    if weights == "random":
        warnings.warn("random backbone weights are for tests only: their scores mean nothing.", stacklevel=2)
        return
    state, origin = pretrained_weights(backbone.name, weights)
    with torch.device("meta"):  # to draw random values first would take longer than all the rest
        network = whole_network(backbone.name, backbone.image_size)
    network = network.to_empty(device="cpu")
    fill(network, state, origin)
    backbone.network.load_state_dict(cut(network, backbone.taps[-1] + 1).state_dict())
    mean, std = INPUT_SCALES[own_scale(backbone.name) if input_scale == PUBLISHED else input_scale]
    backbone.input_mean.copy_(torch.tensor(mean).reshape(1, 3, 1, 1))
    backbone.input_std.copy_(torch.tensor(std).reshape(1, 3, 1, 1))
    backbone.origin = origin
