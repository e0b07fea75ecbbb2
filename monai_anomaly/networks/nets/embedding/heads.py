# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.density.checks import check_features
from monai_anomaly.networks.blocks.density.coreset import coreset_rows
from monai_anomaly.networks.blocks.density.cosine_distance import CosineDistance
from monai_anomaly.networks.blocks.density.mahalanobis import MahalanobisDistance
from monai_anomaly.networks.blocks.density.pool_contrast import PoolContrast

__all__ = ["DISTANCES", "Columns", "Heads"]

DISTANCES: dict[str, type[nn.Module]] = {"mahalanobis": MahalanobisDistance, "cosine": CosineDistance}
"""The distances from the normals, by their names."""


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

    @torch.jit.unused
    def of_rows(self, features: Tensor, rows: Tensor) -> Tensor:
        """All features ``(N, D)`` to those of the head of some rows ``(M,)``, ``(M, d)``; copies nothing else."""
        return features[rows[:, None], self.rows]

    @torch.jit.export
    def spread(self, weights: Tensor) -> Tensor:
        """Weights of the head's features ``(B, d)`` to those of all ``(B, D)``, 0 where the head does not look."""
        return torch.cat([weights, torch.zeros_like(weights[:, :1])], dim=1).index_select(1, self.back)


class Heads(nn.Module):
    """The scores of an image's features: how far they are from the normals', and how much they are the pool's.

    Each score comes with weights of the features: their weighted sum is the score, but for a constant. Where a feature
    is the mean of a map over positions, so is the score.

    Args:
        columns: places of the features that a head looks at, the distances' and then the contrast's.
        total: number of all features.
        distances: ``kind``, a key of ``DISTANCES``, and further arguments of each distance.
        contrast: arguments of the contrast.
    """

    def __init__(
        self,
        columns: Sequence[Sequence[int]],
        total: int,
        *,
        distances: Sequence[Mapping[str, Any]],
        contrast: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.count = len(columns)
        made: list[nn.Module] = []
        for options, rows in zip(distances, columns[:-1], strict=True):
            kind = DISTANCES[options["kind"]]
            made.append(kind(len(rows), **{key: value for key, value in options.items() if key != "kind"}))
        self.scores = nn.ModuleList([*made, PoolContrast(len(columns[-1]), **contrast)])
        self.columns = nn.ModuleList([Columns(rows, total) for rows in columns])

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features ``(B, D)`` to scores ``(B, R)`` and, for each of them, the weights of the features ``(B, D)``."""
        scores: list[Tensor] = []
        weights: list[Tensor] = []
        for columns, score in zip(self.columns, self.scores):  # noqa: B905  TorchScript has no strict
            found, its_weights = score(columns(features))
            scores.append(found)
            weights.append(columns.spread(its_weights))  # type: ignore[operator]
        return torch.stack(scores, dim=1), weights

    @torch.jit.unused
    def fit(self, normals: Tensor, pool: Tensor, rows: tuple[Tensor, Tensor] | None = None) -> None:
        """Learn from features, of which each head copies the numbers that it looks at.

        Args:
            normals: ``(N, D)``, of training normals.
            pool: ``(M, D)``, of unlabeled images; M may be 0, and the contrast is then left as it is.
            rows: those of the normals and of the pool that are learned from; None for all.

        Raises:
            ValueError: without normals, or with features of one that are not finite; as each head says.
        """
        places = (torch.arange(len(normals)), torch.arange(len(pool))) if rows is None else rows
        *distances, contrast = zip(self.columns, self.scores, strict=True)
        check_features(normals, 1, "normals")
        for columns, distance in distances:
            kept = places[0]
            if isinstance(distance, CosineDistance):  # the others are not even copied
                kept = kept[coreset_rows(len(kept), distance.limit)]
            distance.fit(columns.of_rows(normals, kept))  # type: ignore[operator]
        if len(places[1]):
            columns, score = contrast
            score.fit(columns.of_rows(normals, places[0]), columns.of_rows(pool, places[1]))  # type: ignore[operator]
