# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from monai.networks.utils import eval_mode
from torch import Tensor

from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["MIN_SPREAD", "StandardizedDetector"]

MIN_SPREAD = 1e-8
"""Added to deviations, so that none is 0."""


class StandardizedDetector(Detector):
    """A detector whose score is counted in standard deviations of normal images.

    A method writes :meth:`raw_scores` beside ``anomaly_map``. Mean and deviation of each raw score are the buffers
    ``score_mean`` and ``score_std``; until :meth:`fit_scores` has seen normals they are 0 and 1.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: C, channels of the images.
        raw_scores: R, numbers of an image that are standardized.

    Raises:
        ValueError: in ``forward``, on an image of another shape.
    """

    def __init__(self, image_size: int, in_channels: int, raw_scores: int) -> None:
        super().__init__(image_size, in_channels)
        self.register_buffer("score_mean", torch.zeros(raw_scores))
        self.register_buffer("score_std", torch.ones(raw_scores))
        self.score_mean: Tensor
        self.score_std: Tensor

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to what is standardized, ``(B, R)``, float32; what a method writes."""
        raise NotImplementedError("a standardized detector must have raw_scores.")

    def standardize(self, raw: Tensor) -> Tensor:
        """Raw scores ``(B, R)`` to deviations of the normals from their mean."""
        return (raw - self.score_mean) / self.score_std

    @torch.jit.unused
    def fit_scores(self, images: ImageSequence, batch_size: int = 32) -> None:
        """Take mean and standard deviation of the raw scores from all training normals.

        Args:
            images: ``(N, C, S, S)``, at least 2, preprocessed, not augmented, on any device.
            batch_size: images per forward pass.

        Raises:
            ValueError: with fewer than 2 images.
        """
        if len(images) < 2:
            raise ValueError(f"the scores' spread needs at least 2 training normals, got {len(images)}.")
        self.fit_statistics(images, batch_size)

    @torch.jit.unused
    def fit_statistics(self, images: ImageSequence, batch_size: int = 32) -> None:
        """Take mean and standard deviation of the raw scores of images ``(N, C, S, S)``, in evaluation mode."""
        device = self.score_mean.device
        with eval_mode(self):  # without gradients, too
            parts = [self.raw_scores(part.to(device)) for part in images.split(batch_size)]
        raw = torch.cat(parts).cpu().double()
        self.score_mean.copy_(raw.mean(dim=0))
        self.score_std.copy_(raw.std(dim=0, correction=0) + MIN_SPREAD)
