# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer

__all__ = ["TransformerStages"]


class TransformerStages(nn.Module):
    """Vision transformer for reading features: the patches' tokens after each quarter of its blocks, as a grid.

    Every stage passes the last normalization, as DINO reads intermediate features.

    Args:
        network: torchvision's, made for the size of the images.
        count: how many quarters to keep, from 1 to 4.
    """

    def __init__(self, network: VisionTransformer, count: int = 4) -> None:
        super().__init__()
        blocks = list(network.encoder.layers)
        quarter = len(blocks) // 4
        self.patches = network.conv_proj
        self.class_token = network.class_token
        self.position = network.encoder.pos_embedding
        self.quarters = nn.ModuleList(nn.Sequential(*blocks[i * quarter : (i + 1) * quarter]) for i in range(count))
        self.norm = network.encoder.ln

    def forward(self, image: Tensor) -> list[Tensor]:
        """``(B, 3, S, S)`` to one ``(B, C, S / patch, S / patch)`` for each quarter."""
        grid = self.patches(image)
        height, width = grid.shape[2], grid.shape[3]
        tokens = grid.flatten(2).transpose(1, 2)  # (B, positions, C)
        x = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1) + self.position
        outputs: list[Tensor] = []
        for quarter in self.quarters:
            x = quarter(x)
            outputs.append(self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, (height, width)))
        return outputs
