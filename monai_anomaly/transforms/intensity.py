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
        if self.mode == "none":
            return image
        if self.mode == "zscore":
            centered = image - image.mean()
            return centered / centered.square().mean().sqrt().clamp_min(MIN_STD)
        low, high = torch.quantile(image.flatten(), torch.tensor([0.01, 0.99], dtype=image.dtype))
        return ((image - low) / (high - low).clamp_min(MIN_RANGE)).clamp_(0.0, 1.0)
