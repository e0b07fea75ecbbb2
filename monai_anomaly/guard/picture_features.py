# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a picture looks like, in a few hundred numbers that cost a millisecond; the input guard measures with them.

They are computed from the image as the network gets it. Under ``intensity="zscore"`` brightness and contrast are gone
for network and guard alike; the shape of the histogram stays.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["FEATURES", "PictureFeatures", "flat_shares", "picture_features"]

FEATURES = ("intensity", "edges", "layout")
"""Names of the groups of features; see :func:`picture_features`."""

PictureFeatures = dict[str, Tensor]
"""The features by name, float32 ``(B, D)``."""

SIDE = 64
QUANTILES = 17
CELLS = 8
DIRECTIONS = 8
THUMBNAIL = 8
COARSEST = 4
FLAT = 0.01
TINY = 1e-8


def picture_features(images: Tensor) -> PictureFeatures:
    """Return the features of a batch, each image's the same in any batch of several.

    Those of an image alone may differ in the last digit, where it has more than 32,768 pixels and there are threads.

    - ``intensity``: quantiles of the gray values and, for fineness, noise and blur, the logarithm of the mean absolute
      difference between each octave of a pyramid and the next; of a color image the mean color as well;
    - ``edges``: a histogram of oriented gradients; directions are signed, so that an inverted picture differs
      (scikit-image's :func:`skimage.feature.hog` drops the sign, and takes one image of NumPy at a time);
    - ``layout``: a small gray image of it with mean 0 and standard deviation 1.

    Args:
        images: float32 ``(B, C, H, W)``, finite.
    """
    gray = images.mean(1, keepdim=True)
    small = _resize(gray, SIDE)
    thumbnail = _resize(small, THUMBNAIL).flatten(1)
    thumbnail = thumbnail - thumbnail.mean(1, keepdim=True)
    intensity = [_quantiles(small), _octaves(gray)]
    if images.shape[1] > 1:
        intensity.append((images - gray).mean((2, 3)))
    return {
        "intensity": torch.cat(intensity, 1),
        "edges": _gradients(small),
        "layout": thumbnail / (thumbnail.square().mean(1, keepdim=True).sqrt() + 1e-3),
    }


def flat_shares(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares of pixels that have the darkest and the brightest gray value of their own image.

    A hundredth of the image's range counts as equal. No change of brightness and contrast changes the shares.

    Args:
        images: float32 ``(B, C, H, W)``, finite.

    Returns:
        two tensors ``(B,)`` in [0, 1].
    """
    gray = images.mean(1).flatten(1)
    low, high = gray.amin(1, keepdim=True), gray.amax(1, keepdim=True)
    slack = FLAT * (high - low)
    return (gray <= low + slack).float().mean(1), (gray >= high - slack).float().mean(1)


def _resize(images: Tensor, side: int) -> Tensor:
    """Return square images, antialiased."""
    if images.shape[2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def _quantiles(gray: Tensor) -> Tensor:
    """Return evenly spaced quantiles, the extremes included, ``(B, 17)``."""
    values = gray.flatten(1).numpy()
    places = np.linspace(0, values.shape[1] - 1, QUANTILES).round().astype(int)
    return torch.from_numpy(np.sort(values, axis=1)[:, places])  # half the time of np.partition with so many places


def _octaves(gray: Tensor) -> Tensor:
    """Return the logarithm of the mean absolute difference between each octave and the next, ``(B, octaves)``."""
    differences = []
    while min(gray.shape[2:]) >= 2 * COARSEST:
        half = F.avg_pool2d(gray, 2)
        grown = F.interpolate(half, gray.shape[2:], mode="bilinear", align_corners=False)
        differences.append((gray - grown).abs().mean((1, 2, 3)))
        gray = half
    return torch.stack([*differences, gray.flatten(1).std(1)], 1).add(1e-5).log()


def _gradients(gray: Tensor) -> Tensor:
    """Return histograms of signed directions in 8 x 8 cells, each relative to its surroundings, ``(B, 512)``."""
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    x = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    y = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    angle = torch.atan2(y, x) * (DIRECTIONS / (2 * math.pi))
    lower = angle.floor()
    upper_part = angle - lower
    strength = torch.hypot(x, y)
    votes = torch.zeros(len(gray), DIRECTIONS, *gray.shape[2:])
    first = lower.long() & DIRECTIONS - 1  # the remainder of a power of two, in a tenth of the time
    votes.scatter_add_(1, first, strength * (1 - upper_part))
    votes.scatter_add_(1, first + 1 & DIRECTIONS - 1, strength * upper_part)
    cells = F.avg_pool2d(votes, SIDE // CELLS)
    energy = F.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    floor = 0.01 * energy.mean((2, 3), keepdim=True) + TINY  # where there is no edge, noise is no edge either
    return (cells / (energy + floor).sqrt()).flatten(1)
