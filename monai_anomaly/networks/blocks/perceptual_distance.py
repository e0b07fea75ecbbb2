# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

__all__ = ["layer_shares", "relative_distance", "relative_distance_map"]


def layer_shares(weights: Sequence[float] | None, num_layers: int) -> list[float]:
    """Weights of the layers, divided by their sum.

    Args:
        weights: one non-negative number per layer; None weighs all layers the same.
        num_layers: number of layers.

    Raises:
        ValueError: when the count differs, a weight is negative, or all are zero.
    """
    values = [1.0] * num_layers if weights is None else [float(w) for w in weights]
    if len(values) != num_layers:
        raise ValueError(f"layer_weights must hold one number per feature layer ({num_layers}), got {len(values)}.")
    if not all(0.0 <= v < float("inf") for v in values) or sum(values) <= 0.0:
        raise ValueError(f"layer_weights must be finite, non-negative and not all zero, got {values}.")
    return [v / sum(values) for v in values]


def relative_distance(real: torch.Tensor, fake: torch.Tensor, relative: bool = True) -> torch.Tensor:
    """Mean over channels of ``|real - fake|`` at each position, relative to the mean ``|real|`` of the whole sample.

    The denominator is detached, is one number per sample, and is at least 1e-6: a sample whose features are all at the
    mean of the training data would otherwise divide by zero. The spatial mean of the result is the relative perceptual
    L1 distance of the sample. Computed in float32.

    Args:
        real: normalized features ``(B, C, h, w)`` of the images.
        fake: normalized features of their reconstructions, same shape.
        relative: divide as above; False leaves the distance in standard deviations of the training normals.

    Returns:
        ``(B, 1, h, w)``, float32, at least 0, without a unit.
    """
    real = real.float()
    if not relative:
        return (real - fake.float()).abs().mean(dim=1, keepdim=True)
    scale = real.detach().abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
    return (real - fake.float()).abs().mean(dim=1, keepdim=True) / scale


def relative_distance_map(
    real: list[torch.Tensor], fake: list[torch.Tensor], shares: list[float], size: list[int], relative: bool = True
) -> torch.Tensor:
    """Weighted sum over layers of the relative distance, bilinearly upsampled; its mean stays the weighted distance.

    Args:
        real: normalized features of the images, one ``(B, C, h, w)`` per layer.
        fake: normalized features of their reconstructions.
        shares: weight of each layer; they sum to 1.
        size: height and width of the map, in pixels.
        relative: see :func:`relative_distance`.

    Returns:
        ``(B, 1, H, W)``, float32. Bilinear upsampling by an integer factor keeps the spatial mean; the rounding that is
        left (and the change for other factors) is taken out by a constant per image.
    """
    first = relative_distance(real[0], fake[0], relative)
    score = shares[0] * first.mean(dim=(2, 3), keepdim=True)
    total = shares[0] * F.interpolate(first, size=size, mode="bilinear", align_corners=False)
    for i in range(1, len(real)):
        distance = relative_distance(real[i], fake[i], relative)
        score = score + shares[i] * distance.mean(dim=(2, 3), keepdim=True)
        total = total + shares[i] * F.interpolate(distance, size=size, mode="bilinear", align_corners=False)
    return total + (score - total.mean(dim=(2, 3), keepdim=True))
