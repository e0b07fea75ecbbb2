# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a bundle's perceptual features come from."""

from __future__ import annotations

import logging
import os

from torch import Tensor

from monai_anomaly.engines.objectives.pretext import PretextObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures, load_feature_weights
from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["check_weights", "prepare_features"]

logger = logging.getLogger(__name__)


def check_weights(weights: str) -> None:
    """Refuse weights that are nowhere, before anything is made or written.

    Args:
        weights: as in :func:`prepare_features`.

    Raises:
        WeightsError: when it is neither a known name nor a file.
    """
    if weights not in ("self_supervised", "imagenet", "random") and not os.path.isfile(weights):
        raise WeightsError(
            f"weights '{weights}': no such file; weights must be 'self_supervised', 'imagenet' or a file."
        )


def prepare_features(features: VGGFeatures, weights: str, images: Tensor, pretrainer: ObjectiveTrainer) -> None:
    """Get the features' weights from where `weights` says, and their statistics from the training normals.

    Args:
        features: the feature network to fill.
        weights: ``"self_supervised"``: train them on the normals with `pretrainer`; ``"imagenet"``: torchvision's, from
            its cache or downloaded; otherwise the file of a state dict.
        images: all training normals ``(N, C, H, W)``, preprocessed.
        pretrainer: trains the features.

    Raises:
        WeightsError: when they cannot be had or do not fit the network.
    """
    if weights == "self_supervised":
        pretrainer.run()
        if isinstance(pretrainer.objective, PretextObjective):
            pretrainer.objective.freeze()
        features.origin = f"self-supervised, {pretrainer.state.iteration} steps on {len(images)} normals"
    else:
        load_feature_weights(features, weights)
    features.fit_statistics(images.split(32))
    logger.info("perceptual features: %s; statistics of %d training normals", features.origin, len(images))
