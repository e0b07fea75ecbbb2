# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A light decoder over the stages of a frozen-to-be feature network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SegmentationHead"]


class SegmentationHead(nn.Module):
    """Fuses feature maps from deep to shallow and gives one logit per position of the shallowest.

    MONAI's U-Nets bring an encoder of their own; this is the other half alone.

    Args:
        in_channels: widths of the maps, from shallow to deep.
        channels: widths of the fused maps, from shallow to deep, one fewer.
    """

    def __init__(self, in_channels: Sequence[int], channels: Sequence[int] | None = None) -> None:
        super().__init__()
        widths = [16 + 8 * i for i in range(len(in_channels) - 1)] if channels is None else list(channels)
        if len(in_channels) < 2 or len(widths) != len(in_channels) - 1:
            raise ValueError(
                "in_channels needs at least 2 entries and channels one fewer, "
                f"got {len(in_channels)} and {len(widths)}."
            )
        below = [*widths[1:], in_channels[-1]]
        fuse = [
            nn.Sequential(
                nn.Conv2d(deep + skip, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            )
            for deep, skip, width in zip(below, in_channels, widths, strict=False)
        ]
        self.fuse = nn.ModuleList(fuse[::-1])  # from deep to shallow, as they are applied
        self.out = nn.Conv2d(widths[0], 1, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map ``(B, C_i, H_i, W_i)`` from shallow to deep to logits ``(B, 1, H_0, W_0)``."""
        fused = maps[-1]
        for i, fuse in enumerate(self.fuse):
            skip = maps[len(maps) - 2 - i]
            size = [skip.shape[2], skip.shape[3]]
            fused = fuse(torch.cat([F.interpolate(fused, size=size, mode="nearest"), skip], dim=1))
        return self.out(fused)
