# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["LEAKY_SLOPE", "PreActivationBlock", "PreActivationDown", "PreActivationUp", "leaky"]

LEAKY_SLOPE = 0.2


def leaky(x: torch.Tensor, slope: float = LEAKY_SLOPE) -> torch.Tensor:
    """Leaky ReLU of PIAD; the slope is a default because TorchScript cannot read a module-level number."""
    return F.leaky_relu(x, slope)


def _skip(in_channels: int, out_channels: int) -> nn.Module:
    """Identity, or a 1x1 convolution when the width changes."""
    return nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)


class PreActivationBlock(nn.Module):
    """Residual block without normalization: leaky ReLU, 3x3, leaky ReLU, 3x3, plus the input.

    MONAI's residual units put a normalization and the activation after the convolution, which PIAD does not.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; a 1x1 convolution on the skip connection where it differs.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = _skip(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C_in, H, W) -> (B, C_out, H, W)``."""
        h = self.conv1(leaky(x))
        h = self.conv2(leaky(h))
        return h + self.skip(x)


class PreActivationDown(nn.Module):
    """Residual block that halves the resolution by average pooling.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        pool_first: pool before the convolutions (AD repository, a quarter of the work) instead of after them (paper).
    """

    def __init__(self, in_channels: int, out_channels: int, *, pool_first: bool = True) -> None:
        super().__init__()
        self.pool_first = pool_first
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = _skip(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C_in, H, W) -> (B, C_out, H / 2, W / 2)``."""
        h = leaky(x)
        if self.pool_first:
            h = F.avg_pool2d(h, 2)
        h = self.conv2(leaky(self.conv1(h)))
        if not self.pool_first:
            h = F.avg_pool2d(h, 2)
        return h + self.skip(F.avg_pool2d(x, 2))


class PreActivationUp(nn.Module):
    """Residual block that doubles the resolution by nearest-neighbor upsampling before the convolutions.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = _skip(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C_in, H, W) -> (B, C_out, 2 H, 2 W)``."""
        h = F.interpolate(leaky(x), scale_factor=2.0, mode="nearest")
        h = self.conv2(leaky(self.conv1(h)))
        # a 1x1 convolution commutes with nearest upsampling, so the skip is computed at the low resolution
        return h + F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest")
