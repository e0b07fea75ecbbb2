# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.channel_statistics import RunningMoments
from monai_anomaly.networks.blocks.density.local_distance import LocalDistance
from monai_anomaly.networks.nets.embedding.segmenter import Segmenter

__all__ = ["Locator"]

_MIN_SPREAD = 1e-6
_SCALE_IMAGES = 256
"""Normals that the scale is taken from; each has a value at every pixel."""


class Locator(nn.Module):
    """Where in an image what is wrong lies: a map to look at, which decides no score.

    The sum of two maps: the distance of each position's features from those of normals there, and, where there is a
    segmenter, its logits. Each is counted in standard deviations of the values in normal images, one scale for all
    images. The map of the score itself points at lesions worse than the center of the picture does: features pooled
    over the whole image tell an abnormal one, and each of them fires in many places.

    Args:
        channels: of the stages that :meth:`forward` gets; it may get more of them.
        sizes: height and width of each of them.
        distances: which of them the distance looks at, by their places.
        segments: which of them the segmenter looks at, from shallow to deep; none for no segmenter.
        distance_weight: of the distance beside a segmenter, whose weight is 1.
        width: channels of the segmenter.

    Raises:
        ValueError: for no stage of the distance, or a single one of the segmenter.
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        scale_mean: Tensor
        scale_std: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        sizes: Sequence[tuple[int, int]],
        *,
        distances: Sequence[int],
        segments: Sequence[int] = (),
        distance_weight: float = 0.5,
        width: int = 24,
    ) -> None:
        super().__init__()
        if not distances:
            raise ValueError("the distance of each position needs at least one stage; set stages of location.")
        self.distances = list(distances)
        self.segments = list(segments)
        self.size = list(min(sizes[i] for i in distances))  # of the deepest
        self.distance = LocalDistance(sum(channels[i] for i in distances), (self.size[0], self.size[1]))
        self.segmenter = Segmenter([channels[i] for i in segments], width) if segments else None
        self.distance_weight = distance_weight if segments else 1.0
        self.register_buffer("scale_mean", torch.zeros(1, 2, 1, 1))
        self.register_buffer("scale_std", torch.ones(1, 2, 1, 1))

    def forward(self, stages: list[Tensor], size: int) -> Tensor:
        """Stages ``(B, C_i, h_i, w_i)`` to the map ``(B, 1, S, S)`` of that size, float32."""
        maps = (self._maps(stages, size) - self.scale_mean) / self.scale_std
        return self.distance_weight * maps[:, :1] + maps[:, 1:]

    @torch.jit.export
    def logits(self, stages: list[Tensor]) -> Tensor:
        """Stages to the segmenter's logits ``(B, 1, h, w)`` of the shallowest of its stages; 0 without one."""
        if self.segmenter is None:
            return torch.zeros_like(stages[0][:, :1])
        return self.segmenter([stages[i] for i in self.segments])

    def _maps(self, stages: list[Tensor], size: int) -> Tensor:
        """Return both maps, as they are, ``(B, 2, S, S)``."""
        maps: list[Tensor] = []
        for found in [self.distance(self._local(stages)), self.logits(stages).float()]:
            maps.append(F.interpolate(found, [size, size], mode="bilinear", align_corners=False))
        return torch.cat(maps, dim=1)

    def _local(self, stages: list[Tensor]) -> Tensor:
        """Return what the distance looks at, ``(B, C, h, w)``."""
        parts: list[Tensor] = []
        for i in self.distances:
            parts.append(F.interpolate(stages[i].float(), self.size, mode="bilinear", align_corners=False))
        return torch.cat(parts, dim=1)

    @torch.jit.unused
    @torch.no_grad()
    def fit(self, batches: Iterable[list[Tensor]], size: int) -> None:
        """Take the distance's Gaussian, and then the scale of both maps, from the stages of normal images.

        Args:
            batches: stages as in :meth:`forward`, gone through twice; at least 2 images.
            size: S of the maps.

        Raises:
            ValueError: with fewer than 2 images, or features that are not finite.
        """
        self.distance.fit(self._local(stages) for stages in batches)
        moments, images = RunningMoments(), 0
        for stages in batches:
            moments.update(self._maps(stages, size))
            images += len(stages[0])
            if images >= _SCALE_IMAGES:
                break
        self.scale_mean.copy_(moments.mean)
        self.scale_std.copy_(moments.std().clamp(min=_MIN_SPREAD))
