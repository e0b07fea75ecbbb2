# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One scale for all heat maps of a detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["fit_map_range"]


@torch.no_grad()
def fit_map_range(
    detector: nn.Module, normals: ImageSequence, count: int = 64, *, scores: Tensor | None = None
) -> list[float]:
    """Return a scale for all maps of a detector, in which positions of normal images are dark.

    It begins at the 1 % quantile of these positions, and ends four times as far above their median as the 99 % quantile
    is: where a method's zero lies, and in which unit it measures, changes no color.

    Args:
        detector: images to maps ``(B, 1, H, W)``.
        normals: training normals ``(N, C, H, W)``; evenly spaced ones are taken.
        count: how many.
        scores: what a new image in the place of each normal would have as score ``(N,)``, NaN where nobody knows: its
            map is shifted to that. A method that keeps its normals finds them nearer than they are.

    Returns:
        the map values of the first and the last color.
    """
    rows = torch.linspace(0, len(normals) - 1, min(count, len(normals))).round().long()
    device = next(detector.parameters()).device
    training = detector.training
    detector.eval()
    maps = torch.cat([detector(part.to(device)).cpu() for part in normals[rows].split(16)])
    detector.train(training)
    if scores is not None:
        maps = maps + (scores[rows] - maps.mean(dim=(1, 2, 3))).nan_to_num(nan=0.0)[:, None, None, None]
    maps = maps.flatten()
    shares = torch.tensor([0.01, 0.5, 0.99])
    low, middle, high = torch.quantile(maps[:: max(1, len(maps) // 10**6)], shares).tolist()
    return [low, max(middle + 4.0 * (high - middle), low + 1e-6)]
