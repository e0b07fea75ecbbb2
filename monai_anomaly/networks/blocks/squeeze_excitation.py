# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["SqueezeExcitation"]


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in (0, 1) computed from the channels' spatial means.

    Global average pool, linear ``c -> c // r``, ReLU, linear ``c // r -> c``, sigmoid, multiply. Neither linear layer
    has a bias. MONAI's ``ChannelSELayer`` is not used because its linear layers always have a bias and it refuses
    ``r > channels``; its parameter counts can therefore not be those of SEPIAD.

    A gate without bias starts at about 0.5 whatever its weights, which halves the activations at every block.
    ``gate_init`` adds the constant ``logit(gate_init)`` before the sigmoid, so that the gates start near another value;
    the constant is part of the architecture, not a parameter, and is 0 for the original 0.5.

    Args:
        channels: number of channels of the input.
        reduction: ratio r between the channels and the hidden units; there is at least one hidden unit.
        gate_init: value of the gates, in (0, 1), when the second layer gives zero.

    Raises:
        ValueError: when ``channels`` or ``reduction`` is below 1, or ``gate_init`` is not inside (0, 1).

    Source: Hu et al., "Squeeze-and-Excitation Networks", https://arxiv.org/abs/1709.01507.
    """

    def __init__(self, channels: int, reduction: int = 8, *, gate_init: float = 0.5) -> None:
        super().__init__()
        if channels < 1 or reduction < 1:
            raise ValueError(f"channels and reduction must be at least 1, got {channels} and {reduction}.")
        if not 0.0 < gate_init < 1.0:
            raise ValueError(f"gate_init must lie inside (0, 1), got {gate_init}; 0.5 is the original.")
        hidden = max(1, channels // reduction)
        self.gate_offset = math.log(gate_init / (1.0 - gate_init))
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gates ``x`` of shape ``(B, C, H, W)``; the shape stays."""
        hidden = torch.relu(self.squeeze(x.mean(dim=(2, 3))))
        gate = torch.sigmoid(self.excite(hidden) + self.gate_offset)
        return x * gate.unsqueeze(-1).unsqueeze(-1)
