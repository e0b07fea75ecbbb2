# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Numbers of a whole image out of a backbone's stages, and the way back to a map of their weighted sum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["STATISTICS", "StageStatistics"]

QUARTERS, GRID = 2, 16
STATISTICS = {"mean": 1, "deviation": 1, "cells": QUARTERS**2, "grid": GRID**2}
"""What is taken of a channel, and how many numbers that is."""


class StageStatistics(nn.Module):
    """Statistics over the positions of a backbone's stages, each the mean over positions of some map of the image.

    - "mean": the mean of each channel.
    - "deviation": the standard deviation of each channel: how much of a texture varies within the image. It is the mean
      of the squared deviations, divided by itself.
    - "cells": the means of each channel in the four quarters of the image, row by row: what lies where.
    - "grid": the same in 16 x 16 equal parts; of an image itself, a small copy of it.

    So a weighted sum of them is the mean of a map, which :meth:`activation` gives.

    Args:
        stages: for each part of the result the place of its stage in the list of stages, and its statistic.
        channels: C of each stage of that list.

    Attributes:
        count: D, how many numbers there are.
        sizes: how many of them each part has.

    Raises:
        ValueError: on a statistic that is not known.

    Example:
        >>> statistics = StageStatistics([(0, "mean"), (1, "deviation")], [8, 16])
        >>> stages = [torch.rand(2, 8, 4, 4), torch.rand(2, 16, 2, 2)]
        >>> statistics(stages).shape
        torch.Size([2, 24])
        >>> statistics.activation(stages, torch.ones(2, 24), [32, 32]).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(self, stages: Sequence[tuple[int, str]], channels: Sequence[int]) -> None:
        super().__init__()
        for _, statistic in stages:
            if statistic not in STATISTICS:
                known = ", ".join(map(repr, STATISTICS))
                raise ValueError(f"a statistic must be one of {known}, got {statistic!r}.")
        self.places = [place for place, _ in stages]
        self.statistics = [statistic for _, statistic in stages]
        self.sizes = [channels[place] * STATISTICS[statistic] for place, statistic in stages]
        self.count = sum(self.sizes)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Stages ``(B, C, h, w)`` to their statistics ``(B, D)``, float32."""
        parts: list[Tensor] = []
        for place, statistic in zip(self.places, self.statistics):  # noqa: B905  TorchScript has no strict
            parts.append(_statistic(stages[place].float(), statistic))
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def activation(self, stages: list[Tensor], weights: Tensor, size: list[int]) -> Tensor:
        """Map of the weighted sum of statistics; its mean is the sum, but for what resizing moves.

        Args:
            stages: ``(B, C, h, w)`` each, as ``forward`` takes them.
            weights: of the statistics of each image, ``(B, D)``.
            size: rows and columns of the result.

        Returns:
            ``(B, 1, rows, columns)``, float32.
        """
        total = torch.zeros_like(weights[:, :1, None, None])
        parts = weights.split(self.sizes, dim=1)
        for place, statistic, part in zip(self.places, self.statistics, parts):  # noqa: B905
            found = _weighted(stages[place].float(), statistic, part)
            total = total + F.interpolate(found, size, mode="bilinear", align_corners=False)
        return total


def _statistic(stage: Tensor, statistic: str) -> Tensor:
    if statistic == "mean":
        return stage.mean(dim=(2, 3))
    if statistic == "deviation":
        return _deviation(stage)
    side = _side(statistic)
    rows = _areas(stage.shape[2], stage, side)
    columns = _areas(stage.shape[3], stage, side)
    return torch.matmul(torch.matmul(rows, stage), columns.T).flatten(1)


def _weighted(stage: Tensor, statistic: str, weights: Tensor) -> Tensor:
    """Map ``(B, 1, h, w)`` whose mean is the weighted sum of a statistic."""
    if statistic == "mean":
        return (stage * weights[:, :, None, None]).sum(dim=1, keepdim=True)
    if statistic == "deviation":
        # a channel that does not vary is at 0 everywhere, whatever it is divided by
        squares = (stage - stage.mean(dim=(2, 3), keepdim=True)).square()
        return (squares * (weights / _deviation(stage).clamp(min=1e-6))[:, :, None, None]).sum(dim=1, keepdim=True)
    side = _side(statistic)
    rows = _areas(stage.shape[2], stage, side)
    columns = _areas(stage.shape[3], stage, side)
    cells = weights.reshape(stage.shape[0], stage.shape[1], side, side)
    spread = torch.matmul(torch.matmul(rows.T, cells), columns)
    return (stage * spread).sum(dim=1, keepdim=True) * (stage.shape[2] * stage.shape[3])


def _side(statistic: str, quarters: int = QUARTERS, grid: int = GRID) -> int:
    """Parts of a row and of a column; TorchScript knows the numbers as defaults only."""
    return quarters if statistic == "cells" else grid


def _deviation(stage: Tensor) -> Tensor:
    return torch.std(stage, dim=(2, 3), correction=0)


def _areas(length: int, like: Tensor, cells: int) -> Tensor:
    """Share of each of ``length`` positions in each cell, ``(cells, length)``; a row sums to 1."""
    left = torch.arange(length, device=like.device, dtype=torch.float32) / length
    start = torch.arange(cells, device=like.device, dtype=torch.float32)[:, None] / cells
    overlap = torch.minimum(left + 1.0 / length, start + 1.0 / cells) - torch.maximum(left, start)
    return overlap.clamp(min=0.0) * float(cells)
