# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_anomaly.networks.nets.embedding.simple_heads import ContrastHead, CosineHead, MahalanobisHead

__all__ = ["HEADS", "Columns", "Heads"]

HEADS = ("mahalanobis", "cosine", "contrast")
"""The scores, in the order in which they are joined."""


class Columns(nn.Module):
    """The part of all features that a head looks at.

    Args:
        rows: places of the head's features among all.
        total: number of all features.
    """

    def __init__(self, rows: Sequence[int], total: int) -> None:
        super().__init__()
        back = torch.full((total,), len(rows))  # the place of a zero that is put behind the head's weights
        back[list(rows)] = torch.arange(len(rows))
        self.register_buffer("rows", torch.tensor(list(rows)), persistent=False)
        self.register_buffer("back", back, persistent=False)
        self.rows: Tensor
        self.back: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """All features ``(B, D)`` to those of the head ``(B, d)``."""
        return features.index_select(1, self.rows)

    def spread(self, weights: Tensor) -> Tensor:
        """Weights of the head's features ``(B, d)`` to those of all ``(B, D)``, 0 where the head does not look."""
        return torch.cat([weights, torch.zeros_like(weights[:, :1])], dim=1).index_select(1, self.back)


class Heads(nn.Module):
    """The scores of an image's pooled features: how far they are from the normals', and how much they are the pool's.

    Each score comes with the weights of the features in it, that is, with a linear function which has the same value at
    these features but for a constant. The score of the mean of positions is then the mean of that function over them.

    Args:
        columns: places of the features that a head looks at, by its name.
        total: number of all features.
        options: further arguments of a head, by its name.
    """

    def __init__(self, columns: Mapping[str, Sequence[int]], total: int, options: Mapping[str, Mapping[str, Any]]):
        super().__init__()
        self.count = len(HEADS)
        self.mahalanobis_columns = Columns(columns["mahalanobis"], total)
        self.mahalanobis = MahalanobisHead(len(columns["mahalanobis"]), **options.get("mahalanobis", {}))
        self.cosine_columns = Columns(columns["cosine"], total)
        self.cosine = CosineHead(len(columns["cosine"]), **options.get("cosine", {}))
        self.contrast_columns = Columns(columns["contrast"], total)
        self.contrast = ContrastHead(len(columns["contrast"]), **options.get("contrast", {}))

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features ``(B, D)`` to scores ``(B, R)`` and, for each of them, the weights of the features ``(B, D)``."""
        distance, far = self.mahalanobis(self.mahalanobis_columns(features))
        angle, turned = self.cosine(self.cosine_columns(features))
        contrast, unlike = self.contrast(self.contrast_columns(features))
        weights = [
            self.mahalanobis_columns.spread(far),
            self.cosine_columns.spread(turned),
            self.contrast_columns.spread(unlike),
        ]
        return torch.stack([distance, angle, contrast], dim=1), weights

    @torch.jit.unused
    def fit(self, normals: Tensor, pool: Tensor) -> None:
        """Learn from features.

        Args:
            normals: ``(N, D)``, of training normals.
            pool: ``(M, D)``, of unlabeled images; M may be 0, and the contrast is then left as it is.
        """
        self.mahalanobis.fit(self.mahalanobis_columns(normals))
        self.cosine.fit(self.cosine_columns(normals))
        if len(pool):
            self.contrast.fit(self.contrast_columns(normals), self.contrast_columns(pool))
