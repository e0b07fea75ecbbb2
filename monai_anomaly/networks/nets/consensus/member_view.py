# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One common image as each member of a consensus is used to see it, within the network, so that it can be exported."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["INTENSITIES", "MemberView", "resizing_matrix"]

INTENSITIES = ("none", "zscore", "percentile")
"""Those of :class:`monai_anomaly.transforms.intensity.NormalizeImage`, which has the same constants."""

LUMA = (0.299, 0.587, 0.114)
MIN_STD = 1e-3
MIN_RANGE = 1e-6
SHARES = (0.01, 0.99)


class MemberView(nn.Module):
    """Gray from color, a smaller size, a normalized intensity: what a member's own preprocessing does after reading.

    At equal sizes the result is that of the member's own
    :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`, to rounding. At a smaller one the picture was
    resized twice; see :func:`resizing_matrix`.

    Args:
        from_size: S, height and width of the common image, in pixels.
        from_channels: C of the common image, 1 or 3.
        size: s, height and width that the member takes, at most S.
        channels: c that the member takes, at most C or 3.
        intensity: ``"none"``, ``"zscore"`` or ``"percentile"``.

    Raises:
        ValueError: for another intensity, or a size above that of the common image.
    """

    def __init__(self, from_size: int, from_channels: int, size: int, channels: int, intensity: str) -> None:
        super().__init__()
        if intensity not in INTENSITIES:
            raise ValueError(f"intensity must be one of {', '.join(INTENSITIES)}, got {intensity!r}.")
        if size > from_size:
            raise ValueError(f"a member's image_size must be at most {from_size}, got {size}.")
        self.from_channels, self.channels, self.intensity = from_channels, channels, intensity
        self.resizes = size != from_size
        self.min_std, self.min_range = MIN_STD, MIN_RANGE  # TorchScript sees no globals
        places = [share * (channels * size * size - 1) for share in SHARES]
        self.below = [int(place) for place in places]
        self.parts = [place - int(place) for place in places]
        self.register_buffer("luma", torch.tensor(LUMA)[:, None, None], persistent=False)
        self.register_buffer("rows", resizing_matrix(from_size, size), persistent=False)
        self.luma: Tensor
        self.rows: Tensor  # (s, S)

    def forward(self, image: Tensor) -> Tensor:
        """Make the member's images ``(B, c, s, s)`` of common ones ``(B, C, S, S)`` in [0, 1]."""
        image = image.float()
        if self.from_channels == 3 and self.channels == 1:
            image = (image * self.luma).sum(dim=1, keepdim=True).clamp(max=1.0)
        elif self.from_channels == 1 and self.channels == 3:
            image = image.expand(-1, 3, -1, -1)
        if self.resizes:
            image = self.rows @ image @ self.rows.transpose(0, 1)
        return self.normalized(image).contiguous()

    def normalized(self, image: Tensor) -> Tensor:
        """Normalize each image ``(B, c, s, s)`` over its channels and pixels."""
        if self.intensity == "zscore":
            centered = image - image.mean(dim=(1, 2, 3), keepdim=True)
            return centered / centered.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=self.min_std)
        if self.intensity == "percentile":
            low, high = self.percentiles(image)
            return ((image - low) / (high - low).clamp(min=self.min_range)).clamp(0.0, 1.0)
        return image

    def percentiles(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the 1st and the 99th percentile of each image, ``(B, 1, 1, 1)``."""
        rising = image.flatten(1).sort(dim=1)[0]
        found: list[Tensor] = []
        for below, part in zip(self.below, self.parts):  # noqa: B905  (TorchScript's zip has no strict)
            lower, upper = rising[:, below], rising[:, below + 1]
            found.append((lower + (upper - lower) * part)[:, None, None, None])
        return found[0], found[1]


def resizing_matrix(from_size: int, size: int) -> Tensor:
    """Return the weights ``(size, from_size)`` that make a row smaller, which was resized once already.

    A triangle filter blurs by ``r^2 / 6`` pixels of variance when it resizes by ``r``. A picture that comes from far
    above both sizes has had 1/6 of that, so the filter here has what is missing: the half-width ``sqrt(r^2 - 1)`` in
    the place of ``r``, and not below 1. The two together blur as the member's own preprocessing does at once.

    Args:
        from_size: pixels of the row.
        size: pixels of the result, at most `from_size`.
    """
    ratio = from_size / size
    if ratio == 1:
        return torch.eye(size)
    half_width = max(1.0, math.sqrt(ratio**2 - 1))
    centers = (torch.arange(size, dtype=torch.float64) + 0.5) * ratio - 0.5
    distances = (centers[:, None] - torch.arange(from_size, dtype=torch.float64)).abs()
    weights = (1 - distances / half_width).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()
