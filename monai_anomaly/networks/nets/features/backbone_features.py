# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch

from monai_anomaly.networks.nets.features.backbone import Backbone, load_backbone_weights
from monai_anomaly.networks.nets.features.perceptual_features import PerceptualFeatures

__all__ = ["BackboneFeatures"]


class BackboneFeatures(PerceptualFeatures):
    """Stages of a pretrained backbone, normalized per channel.

    A new instance has random weights: call ``load_weights``, then ``fit_statistics``, or load a checkpoint.

    Args:
        backbone: name of the backbone; see :class:`.Backbone`.
        layers: names of its stages, from shallow to deep; what lies deeper is not computed.
        image_size: height and width of the images; it matters to transformers only.

    Raises:
        ConfigError: on a name or a stage that is not known.
    """

    def __init__(self, backbone: str, layers: Sequence[str], *, image_size: int = 128) -> None:
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        network = Backbone(backbone, names, image_size=image_size)
        super().__init__(network.stages, list(network.stage_channels.values()))
        self.backbone = network
        self.freeze()

    def load_weights(self, weights: str) -> None:
        """Load the pretrained weights that belong to the backbone's name, those in a file, or "random" ones."""
        load_backbone_weights(self.backbone, None if weights == self.backbone.name else weights)
        self.origin = self.backbone.origin
        self.num_fitted.zero_()

    @torch.jit.export
    def raw(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Features before normalization; arguments and result as in ``PerceptualFeatures``."""
        return self.backbone(self.backbone.normalized(image))
