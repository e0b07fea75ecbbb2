# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A segmenter that learns from synthetic anomalies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update, leave_intact
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["SegmenterObjective"]


class SegmenterObjective(Objective):
    """Teaches the segmenter of an embedding to find synthetic anomalies in normal images.

    The backbone stays as it is, and so does everything that scores: the segmenter is of the shown map alone.

    Args:
        network: the embedding, with a segmenter.
        corrupt: ``(B, C, H, W)`` to a corrupted batch and its soft mask ``(B, 1, H, W)`` in [0, 1].
        augment: changes the images before.

    Raises:
        ConfigError: for an embedding without a segmenter.

    Source: Schlüter et al., "Natural Synthetic Anomalies", arXiv:2109.15222 (the task).
    """

    def __init__(
        self,
        network: Embedding,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]],
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        locator = network.locator
        if locator is None or locator.segmenter is None:
            raise ConfigError("this embedding has no segmenter to train; set segmenter to true.")
        self.network = network
        self.locator = locator
        self.segmenter = locator.segmenter
        self.corrupt = corrupt

    def reduce_to_arithmetic(self) -> None:
        """Train on the images as they are."""
        super().reduce_to_arithmetic()
        self.corrupt = leave_intact

    def updates(self) -> list[Update]:
        """One update of the segmenter."""
        return [Update("segmenter", (self.segmenter,), self.terms)]

    def terms(self, batch: Batch) -> Terms:
        """Cross entropy with the anomalies' soft masks, for a batch `image` ``(B, C, S, S)``."""
        with torch.no_grad():
            corrupted, mask = self.corrupt(self.augmented(batch["image"]))
            stages = self.network.located_stages(corrupted)
        logits = self.locator.logits(stages).float()
        target = F.interpolate(mask.float(), size=logits.shape[2:], mode="area")
        return {"segmenter": F.binary_cross_entropy_with_logits(logits, target)}
