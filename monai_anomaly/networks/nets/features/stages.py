# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Stages"]


class Stages(nn.ModuleList):
    """Parts of a network that follow each other, and the output of each of them."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(B, 3, H, W)`` to one ``(B, C, h, w)`` for each stage."""
        outputs: list[Tensor] = []
        for stage in self:
            x = stage(x)
            outputs.append(x)
        return outputs
