# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0_STAGES, EfficientNetLite0
from monai_anomaly.networks.nets.features.packaged_weights import lite0_state_dict
from monai_anomaly.networks.nets.features.weights_file import read_state_dict
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Backbone", "load_backbone_weights", "make_backbone"]

LITE0 = "efficientnet_lite0"
_ORIGIN_LENGTH = 128


class Backbone(nn.Module):
    """Frozen network whose stages are features: pretrained on other images, always in evaluation mode.

    A new instance has random weights, and takes those of a checkpoint with its state dict; ``make_backbone`` gives it
    pretrained ones. Its state dict says where they are from, and how they expect their input.

    Args:
        name: "efficientnet_lite0".
        stages: which stages to return, from shallow to deep; all by default. What lies deeper is not computed.

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

    def __init__(self, name: str = LITE0, stages: Sequence[str] | None = None) -> None:
        super().__init__()
        if name != LITE0:
            raise ConfigError(f"backbone must be {LITE0!r}, got {name!r}.")
        known = LITE0_STAGES
        asked = tuple(known) if stages is None else tuple(stages)
        if not asked or any(stage not in known for stage in asked):
            raise ConfigError(f"stages of {name} must be names out of {', '.join(known)}; got {list(asked)}.")
        if list(asked) != sorted(set(asked), key=list(known).index):
            raise ConfigError(f"stages must be listed once each, from shallow to deep; got {list(asked)}.")
        self.name = name
        self.stages = asked
        self.stage_channels = {stage: known[stage] for stage in asked}
        self.taps = [list(known).index(stage) for stage in asked]
        self.network = EfficientNetLite0(asked[-1])
        self.register_buffer("input_mean", torch.full((1, 3, 1, 1), 127.0 / 255.0))
        self.register_buffer("input_std", torch.full((1, 3, 1, 1), 128.0 / 255.0))
        self.origin = "random"
        self.requires_grad_(False)
        self.eval()

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
        outputs = self.network(image)
        return [outputs[tap] for tap in self.taps]


def make_backbone(name: str = LITE0, weights: str | None = None, stages: Sequence[str] | None = None) -> Backbone:
    """Make a backbone with pretrained weights.

    Args:
        name: as in :class:`Backbone`.
        weights: as in :func:`load_backbone_weights`.
        stages: as in :class:`Backbone`.

    Raises:
        ConfigError: on a name or stage that is not known.
        WeightsError: when there are no such weights.
    """
    backbone = Backbone(name, stages)
    load_backbone_weights(backbone, weights)
    return backbone


def load_backbone_weights(backbone: Backbone, weights: str | None = None) -> None:
    """Load pretrained weights, and record their origin in the backbone.

    Args:
        backbone: the backbone to fill.
        weights: None for those that belong to its name (for efficientnet_lite0 the ones that the extra ``pretrained``
            installs), the path of a state dict of this architecture, or "random" (tests only, warns).

    Raises:
        WeightsError: when the weights are missing, or not of this architecture.
    """
    if weights == "random":
        warnings.warn("random backbone weights are for tests only: their scores mean nothing.", stacklevel=2)
        return
    if weights is None:
        state, origin = lite0_state_dict()
        backbone.network.load_unfolded(state, origin)
        backbone.origin = origin
    else:
        path = Path(weights).expanduser()
        source = f"backbone_weights {str(path)!r}"
        state = read_state_dict(
            path, source, key="_conv_stem.weight", holding=f"weights of {backbone.name}", cure="give others"
        )
        backbone.network.load_unfolded(state, source)
        backbone.origin = f"file sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
