# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Intensity normalization by name, safe for constant images."""

from __future__ import annotations

import torch
from monai.transforms.transform import Transform

__all__ = ["INTENSITY_MODES", "NormalizeImage"]

INTENSITY_MODES = ("none", "zscore", "percentile")
"""Names that :class:`NormalizeImage` knows."""

MIN_STD = 1e-3
MIN_RANGE = 1e-6
SERIAL = 2**15 - 1
"""Numbers that PyTorch sums in one thread; of more the last bit of a sum depends on how many threads there are."""


class NormalizeImage(Transform):
    """Normalizes one image over all its channels and pixels.

    - ``none``: the image as it is.
    - ``zscore``: mean 0 and standard deviation 1; deviations below 1e-3 count as 1e-3.
    - ``percentile``: the 1st and 99th percentile become 0 and 1, clipped.

    A constant image becomes all zeros in the last two. MONAI's ``NormalizeIntensity`` has no floor, so that it turns
    the noise of a nearly constant image into full contrast, and ``ScaleIntensityRangePercentiles`` shifts an image
    without scaling it, with a warning, where the two percentiles are equal.

    Args:
        mode: one of the names above.

    Raises:
        ValueError: for another name.
    """

    def __init__(self, mode: str = "none") -> None:
        if mode not in INTENSITY_MODES:
            raise ValueError(f"intensity must be one of {', '.join(INTENSITY_MODES)}, got {mode!r}.")
        self.mode = mode

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Return the normalized image.

        Args:
            image: float32 ``(C, H, W)`` in [0, 1].
        """
        return self.apply(image, *self.limits(image))

    def limits(self, image: torch.Tensor) -> tuple[float, float]:
        """Return what becomes 0, and how much above it becomes 1: all that :meth:`apply` needs of the whole image.

        They are the same with any number of threads.

        Args:
            image: as in the call.
        """
        if self.mode == "none":
            return 0.0, 1.0
        if self.mode == "zscore":
            mean = _mean(image)
            return mean.item(), _mean((image - mean).square()).sqrt().clamp_min(MIN_STD).item()
        low, high = torch.quantile(image.flatten(), torch.tensor([0.01, 0.99], dtype=image.dtype))
        return low.item(), (high - low).clamp_min(MIN_RANGE).item()

    def apply(self, image: torch.Tensor, low: float, extent: float) -> torch.Tensor:
        """Return the image, normalized by its limits.

        Args:
            image: as in the call.
            low: what becomes 0.
            extent: how much above it becomes 1.
        """
        if self.mode == "none":
            return image
        scaled = (image - low) / extent
        return scaled if self.mode == "zscore" else scaled.clamp_(0.0, 1.0)


def _mean(values: torch.Tensor) -> torch.Tensor:
    """Return the mean, summed in parts so small that PyTorch does not share one out among its threads."""
    parts = [part.sum() for part in values.flatten().split(SERIAL)]
    return torch.stack(parts).sum() / values.numel()
