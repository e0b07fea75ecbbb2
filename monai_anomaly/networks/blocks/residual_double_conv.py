# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import cast

from monai.networks.blocks.convolutions import Convolution
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.winograd_conv import WinogradConv2d

__all__ = ["ResidualDoubleConv"]


def _convolution(in_channels: int, out_channels: int, stride: int = 1, activation: bool = True) -> Convolution:
    """3x3 convolution with bias, batch normalization, and a ReLU or none."""
    act = ("relu", {"inplace": True}) if activation else None
    layer = Convolution(
        2, in_channels, out_channels, strides=stride, kernel_size=3, adn_ordering="NA", act=act, norm="batch"
    )
    if stride == 1:
        layer.conv = WinogradConv2d.in_place_of(cast("nn.Conv2d", layer.conv))
    return layer


class ResidualDoubleConv(nn.Module):
    """One convolution ``first``, then two more as a residual branch: ``relu(branch(r) + r)`` with ``r = first(x)``.

    MONAI's ``ResNetBlock`` has no biases, which the published networks have, and ``UnetResBlock`` adds its input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the first convolution.

    Source: SimSID (Xiang et al., TPAMI 2024, https://arxiv.org/abs/2403.08689).
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = _convolution(in_channels, out_channels, stride)
        self.branch = nn.Sequential(
            _convolution(out_channels, out_channels), _convolution(out_channels, out_channels, activation=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride))``, not negative."""
        r = self.first(x)
        return F.relu(self.branch(r) + r)
