# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator
from monai_anomaly.networks.nets.standardized_detector import StandardizedDetector
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["POOLINGS", "SAGAN"]

POOLINGS = ("mean", "focal", "either")

_LEAST_SHARE = 0.1
_MIN_SPREAD = 1e-8


class SAGAN(StandardizedDetector):
    """Detector of SAGAN: an image is restored to health, and what had to change is the score.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous. With the pooling "mean" the map
    is ``|x - G(x)| / 2``, as published, of images in [-1, 1]. Other poolings are for disease in one place; their score
    is the inverse hyperbolic sine of the number of standard deviations from the training normals, once
    :meth:`~.StandardizedDetector.fit_scores` has seen them: the number itself where it is small, its logarithm where it
    is large. Mean and deviation are buffers, so that all that scoring needs is in the state dict; the critic is not
    part of it.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: channels of the images.
        generator: arguments of the :class:`.SAGANGenerator`.
        value_range: what becomes -1 and 1 for the generator, of the images as they come; nothing is clipped.
        pooling: how the score sums up the map.

            - "mean", as published, for disease that is spread out;
            - "focal": the mean of the largest values of the smoothed map, for disease in one place;
            - "either": the larger of the two, each standardized, for when it may be both.
        fraction: share of the positions whose values are "focal".
        smoothing: side of the box, in pixels and odd, that smooths the map for "focal".
        per_position: count the smoothed map for "focal" at each position in deviations of the training normals there,
            since edges of the anatomy change in every image.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on an image of another shape.

    Source: SAGAN (Zhang et al., MICCAI 2024, https://arxiv.org/abs/2405.12872).

    Example:
        >>> detector = SAGAN(32, generator={"channels": 4, "residual_blocks": 1}).eval()
        >>> detector(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 1,
        *,
        generator: Mapping[str, Any] | None = None,
        value_range: Sequence[float] = (0.0, 1.0),
        pooling: str = "mean",
        fraction: float = 0.02,
        smoothing: int = 5,
        per_position: bool = False,
    ) -> None:
        super().__init__(image_size, in_channels, raw_scores=2 if pooling == "either" else 1)
        if len(value_range) != 2 or not -float("inf") < value_range[0] < value_range[1] < float("inf"):
            raise ValueError(f"value_range must be two rising numbers, got {tuple(value_range)}.")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(map(repr, POOLINGS))}, got {pooling!r}.")
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"fraction must lie in (0, 1], got {fraction}.")
        if smoothing < 1 or smoothing % 2 == 0 or smoothing > image_size:
            raise ValueError(f"smoothing must be odd, positive and at most the image's side, got {smoothing}.")
        self.middle = (float(value_range[0]) + float(value_range[1])) / 2.0
        self.half_width = (float(value_range[1]) - float(value_range[0])) / 2.0
        self.pooling = pooling
        self.smoothing = smoothing
        self.per_position = per_position
        self.count = max(1, round(fraction * image_size**2))
        self.generator = SAGANGenerator(image_size, in_channels, **(generator or {}))
        self.register_buffer("position_mean", torch.zeros(1, 1, image_size, image_size))
        self.register_buffer("position_std", torch.ones(1, 1, image_size, image_size))
        self.position_mean: Tensor
        self.position_std: Tensor

    # ---- between images and the generator's range ----------------------------------------------------------------

    @torch.jit.export
    def signal(self, image: Tensor) -> Tensor:
        """Images ``(B, C, S, S)`` as the generator takes them, about [-1, 1]."""
        return (image - self.middle) / self.half_width

    @torch.jit.export
    def unsignal(self, x: Tensor) -> Tensor:
        """Pictures in the generator's range to the images'."""
        return x * self.half_width + self.middle

    @torch.jit.export
    def reconstruct(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the restored one, in the images' range."""
        return self.unsignal(self.generator(self.signal(image)))

    # ---- scoring -------------------------------------------------------------------------------------------------

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        anomaly, raw = self.judge(image)
        if self.pooling == "mean":
            return anomaly
        if not self.per_position:
            anomaly = anomaly / self.score_std[0]
        # a score of a hundred deviations would lift the whole map beyond every color
        return self.shift_to_score(anomaly, self.standardize(raw).amax(dim=1).asinh())

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to what is standardized for the score; see :meth:`judge`."""
        return self.judge(image)[1]

    @torch.jit.export
    def judge(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image ``(B, C, S, S)`` to the map ``|x - G(x)| / 2``, ``(B, 1, S, S)``, mean of the channels, and its sums.

        Those are ``(B, 1)``, or ``(B, 2)``, focal and mean, for the pooling "either"; float32 both. With `per_position`
        the map is smoothed and in deviations.
        """
        change = self._change(image)
        mean = change.mean(dim=(1, 2, 3)).unsqueeze(1)
        if self.pooling == "mean":
            return change, mean
        local = (self._smooth(change) - self.position_mean) / self.position_std
        focal = local.flatten(1).topk(self.count, dim=1)[0].mean(dim=1, keepdim=True)
        raw = focal if self.pooling == "focal" else torch.cat([focal, mean], dim=1)
        return local if self.per_position else change, raw

    def _change(self, image: Tensor) -> Tensor:
        x = self.signal(image)
        return (x.float() - self.generator(x).float()).abs().mean(dim=1, keepdim=True) / 2.0

    def _smooth(self, change: Tensor) -> Tensor:
        half = self.smoothing // 2
        return F.avg_pool2d(F.pad(change, [half, half, half, half], mode="replicate"), self.smoothing, 1)

    @torch.jit.unused
    def fit_statistics(self, images: ImageSequence, batch_size: int = 32) -> None:
        """Take mean and standard deviation of each position, where the map is in deviations, then of the scores."""
        if self.per_position and self.pooling != "mean":
            device = self.score_mean.device
            with eval_mode(self):
                changes = torch.empty(len(images), 1, *images.shape[2:], device=device)
                for number, part in enumerate(images.split(batch_size)):
                    start = number * batch_size  # parts that are joined at the end would take the memory twice
                    changes[start : start + len(part)] = self._smooth(self._change(part.to(device)))
            self._fit_positions(changes)
        super().fit_statistics(images, batch_size)

    def _fit_positions(self, changes: Tensor) -> None:
        """Mean and standard deviation of smoothed maps ``(N, 1, S, S)``."""
        self.position_mean.copy_(changes.mean(dim=0, keepdim=True))
        spread = changes.std(dim=0, correction=0, keepdim=True)
        # of few normals the spread is rough, and where nothing ever changes it is next to nothing
        self.position_std.copy_(self._smooth(spread) + _LEAST_SHARE * spread.mean() + _MIN_SPREAD)
