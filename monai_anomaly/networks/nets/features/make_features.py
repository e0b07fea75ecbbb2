# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

from monai_anomaly.networks.nets.features.backbone_features import BackboneFeatures
from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0
from monai_anomaly.networks.nets.features.perceptual_features import PerceptualFeatures
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures

__all__ = ["VGG", "default_layers", "make_features"]

VGG = "vgg19"


def default_layers(network: str) -> tuple[str, ...]:
    """Return the layers of a network whose features are compared unless others are named.

    Of a VGG19 the published one; of EfficientNet-Lite0 the best on phantom and breast ultrasound, both chosen by their
    validation sections; of another backbone one of the same stride, 16.
    """
    return {VGG: ("r42",), LITE0: ("stage5",)}.get(network, ("stage3",))


def make_features(
    network: str = VGG,
    layers: Sequence[str] | None = None,
    *,
    width: float | None = None,
    norm: bool | None = None,
    image_size: int = 128,
) -> PerceptualFeatures:
    """Make a feature network by name, with random weights.

    Args:
        network: "vgg19", or a backbone; see :class:`.Backbone`.
        layers: which layers' features are compared, from shallow to deep; None takes
            ``default_layers``.
        width: factor on the widths of a VGG19; None for 1.
        norm: batch normalization in a VGG19; None for none.
        image_size: height and width of the images; it matters to transformers only.

    Raises:
        ConfigError: on a network or a stage that is not known.
        ValueError: on an argument outside its range, or one that the network does not have.
    """
    if network == VGG:
        return VGGFeatures(layers or default_layers(network), 1.0 if width is None else width, norm=bool(norm))
    if width is not None or norm is not None:
        raise ValueError(
            f"width and norm are those of a {VGG}, got {width} and {norm} for {network!r}; leave out feature_width and "
            "feature_norm, or set them to null."
        )
    return BackboneFeatures(network, layers or default_layers(network), image_size=image_size)
