# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The map that an embedding shows, before its score is solved."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.utils.image_sequence import ImageSequence
from monai_anomaly.utils.kept_memory import give_back_freed_memory

__all__ = ["prepare_locator"]

logger = logging.getLogger(__name__)

_BATCH_SIZE = 32


def prepare_locator(network: Embedding, images: ImageSequence, segmenter_trainer: ObjectiveTrainer | None) -> None:
    """Train the segmenter, and take distances and scale of the shown map from the training normals.

    Args:
        network: the embedding, with the weights of its backbone; nothing is done where it shows the map of its score.
        images: all training normals ``(N, C, S, S)``, preprocessed.
        segmenter_trainer: trains the segmenter, or None where there is none.

    Raises:
        ValueError: with fewer than 2 images.
    """
    if network.locator is None:
        return
    if segmenter_trainer is not None:
        segmenter_trainer.run()
    network.eval()
    network.locator.fit(_Stages(network, images), network.image_size)
    give_back_freed_memory()  # of the segmenter's gradients; the pass fills one large table instead
    logger.info("the shown map has its scale from %d training normals", len(images))


class _Stages:
    """What the locator looks at, batch by batch; may be gone through again."""

    def __init__(self, network: Embedding, images: ImageSequence) -> None:
        self.network = network
        self.images = images

    def __iter__(self) -> Iterator[list[Tensor]]:
        device = self.network.score_mean.device
        with torch.no_grad():
            for part in self.images.split(_BATCH_SIZE):
                yield self.network.located_stages(part.to(device))
