# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

from monai_anomaly.networks.nets.features.backbone_features import BackboneFeatures
from monai_anomaly.networks.nets.features.perceptual_features import PerceptualFeatures
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures

__all__ = ["VGG", "make_features"]

VGG = "vgg19"
_VGG_LAYERS = ("r42",)
_BACKBONE_STAGES = ("stage5",)


def make_features(
    network: str = VGG, layers: Sequence[str] | None = None, *, width: float | None = None, norm: bool | None = None
) -> PerceptualFeatures:
    """Make a feature network by name, with random weights.

    Args:
        network: "vgg19", or a backbone; see :class:`.Backbone`.
        layers: which layers' features are compared, from shallow to deep; None takes r42 of a VGG19, as published, and
            the fifth stage of a backbone.
        width: factor on the widths of a VGG19; None for 1.
        norm: batch normalization in a VGG19; None for none.

    Raises:
        ConfigError: on a network or a stage that is not known.
        ValueError: on an argument outside its range, or one that the network does not have.
    """
    if network == VGG:
        return VGGFeatures(layers or _VGG_LAYERS, 1.0 if width is None else width, norm=bool(norm))
    if width is not None or norm is not None:
        raise ValueError(
            f"width and norm are those of a {VGG}, got {width} and {norm} for {network!r}; leave out feature_width and "
            "feature_norm, or set them to null."
        )
    return BackboneFeatures(network, layers or _BACKBONE_STAGES)
