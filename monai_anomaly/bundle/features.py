# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a bundle's perceptual features come from."""

from __future__ import annotations

import logging
import os

from monai_anomaly.engines.objectives.pretext import PretextObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.features.architectures import whole_network
from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0
from monai_anomaly.networks.nets.features.make_features import VGG, default_layers
from monai_anomaly.networks.nets.features.packaged_weights import lite0_state_dict
from monai_anomaly.networks.nets.features.perceptual_features import PerceptualFeatures
from monai_anomaly.utils.exceptions import WeightsError
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["check_weights", "feature_layers", "feature_network", "prepare_features"]

logger = logging.getLogger(__name__)

VGG_WEIGHTS = ("self_supervised", "imagenet", "random")


def feature_network(weights: str) -> str:
    """Return the network that `weights` belong to: of a backbone its name, of all others a VGG19."""
    return VGG if weights in VGG_WEIGHTS or _is_path(weights) else weights


def feature_layers(network: str) -> list[str]:
    """Return the layers whose features are compared by default."""
    return list(default_layers(network))


def check_weights(weights: str, network: str) -> None:
    """Refuse weights that are nowhere or of another network, before anything is made or written.

    Args:
        weights: as in :func:`prepare_features`.
        network: the feature network that is to take them.

    Raises:
        WeightsError: when it is no file, the package of the weights is not installed, or a name is that of another
            network's weights.
        ConfigError: when it is no name of weights either.
    """
    if _is_path(weights):
        if not os.path.isfile(os.path.expanduser(weights)):
            raise WeightsError(
                f"weights '{weights}': no such file; they must be '{LITE0}', {', '.join(map(repr, VGG_WEIGHTS[:2]))}, "
                "torchvision's name of a backbone, or a file."
            )
    elif network != feature_network(weights) and weights != "random":
        raise WeightsError(
            f"weights '{weights}' are of a {feature_network(weights)}, and feature_network is {network}; "
            "leave it out, or give the file of its weights."
        )
    elif weights == LITE0:
        _check_package()
    elif weights not in VGG_WEIGHTS:
        whole_network(weights, 224)


def prepare_features(
    features: PerceptualFeatures, weights: str, images: ImageSequence, pretrainer: ObjectiveTrainer | None
) -> None:
    """Get the features' weights from where `weights` says, and their statistics from the training normals.

    Args:
        features: the feature network to fill.
        weights: ``"self_supervised"``: train a VGG19 on the normals with `pretrainer`; ``"imagenet"``: torchvision's,
            from its cache or downloaded; ``"efficientnet_lite0"``: the installed package's; torchvision's name of
            another backbone; otherwise the file of a state dict.
        images: all training normals ``(N, C, H, W)``, preprocessed.
        pretrainer: trains the features; None unless they are self-supervised.

    Raises:
        WeightsError: when they cannot be had or do not fit the network.
    """
    if weights == "self_supervised":
        if pretrainer is None:
            raise ValueError("self-supervised weights need a pretrainer, got None.")
        pretrainer.run()
        if isinstance(pretrainer.objective, PretextObjective):
            pretrainer.objective.freeze()
        features.origin = f"self-supervised, {pretrainer.state.iteration} steps on {len(images)} normals"
    else:
        features.load_weights(weights)
    features.fit_statistics(images.split(32))
    logger.info("perceptual features: %s; statistics of %d training normals", features.origin, len(images))


def _check_package() -> None:
    try:
        lite0_state_dict()
    except WeightsError as error:
        raise WeightsError(
            f"{error} Without it, weights=self_supervised trains the features on the normals."
        ) from error


def _is_path(weights: str) -> bool:
    return os.path.isfile(os.path.expanduser(weights)) or os.sep in weights or os.extsep in weights
