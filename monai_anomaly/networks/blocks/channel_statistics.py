# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

__all__ = ["ChannelStatistics", "RunningMoments"]


class ChannelStatistics(nn.Module):
    """Normalizes features by a mean and a standard deviation per channel, held in buffers of shape (1, C, 1, 1).

    Args:
        channels: number of channels C.
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        mean: torch.Tensor
        std: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` of any floating type to the same shape in float32."""
        return (x.float() - self.mean) / self.std


class RunningMoments:
    """Mean and standard deviation per channel in one pass, in float64 (pairwise update of Chan et al., 1983).

    scikit-learn's ``StandardScaler`` does the same on the CPU only, for rows of features.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())

    def update(self, x: torch.Tensor) -> None:
        """Take in values ``(B, C, H, W)``."""
        x = x.double()
        count = x.numel() // x.shape[1]
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        squares = (x - mean).square().sum(dim=(0, 2, 3), keepdim=True)
        if self.count == 0:
            self.count, self.mean, self.squares = count, mean, squares
            return
        total = self.count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self.squares = self.squares + squares + delta.square() * (self.count * count / total)
        self.count = total

    def std(self) -> torch.Tensor:
        """Return population standard deviation ``(1, C, 1, 1)``."""
        return (self.squares / self.count).sqrt()
