# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far the directions of features are from those of the nearest normals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.density.checks import check_features, check_positive
from monai_anomaly.networks.blocks.density.coreset import LIMIT, coreset

__all__ = ["CosineDistance"]


class CosineDistance(nn.Module):
    """Mean cosine distance to the nearest of the normals, of which a bounded number is kept.

    Args:
        features: D.
        neighbors: how many of the nearest normals.
        limit: most normals to keep; of more, a :func:`.coreset` is.

    Attributes:
        memory: ``(N, D)``, the normals, each of length 1; 0 before :meth:`fit`.

    Raises:
        ValueError: on an argument below 1, a limit below ``neighbors``, and in ``fit``.

    Example:
        >>> distance = CosineDistance(4)
        >>> distance.fit(torch.rand(10, 4))
        >>> distance(torch.rand(2, 4))[0].shape
        torch.Size([2])
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        memory: Tensor

    def __init__(self, features: int, *, neighbors: int = 5, limit: int = LIMIT) -> None:
        super().__init__()
        check_positive(features=features, neighbors=neighbors)
        if limit < neighbors:
            raise ValueError(f"limit must be at least neighbors, got {limit} and {neighbors}.")
        self.neighbors = neighbors
        self.limit = limit
        self.register_buffer("memory", torch.zeros(neighbors, features))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(B, D)`` to distances ``(B,)`` and to the weights ``(B, D)`` of a sum.

        The distance of ``f`` is ``1 + (weights * f).sum()``, with the nearest normals of ``f``.
        """
        features = features.float()
        length = features.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
        nearest = torch.matmul(features / length, self.memory.T).topk(self.neighbors, dim=1)[1]
        weights = -self.memory[nearest].mean(dim=1) / length
        return 1.0 + (weights * features).sum(dim=1), weights

    @torch.jit.unused
    @torch.no_grad()
    def fit(self, normals: Tensor) -> None:
        """Keep the directions of the features ``(N, D)`` of training normals.

        Raises:
            ValueError: without normals, or with features that are not finite.
        """
        check_features(normals, 1, "normals")
        kept = F.normalize(coreset(normals.float(), self.limit), dim=1)
        again = torch.arange(max(len(kept), self.neighbors)) % len(kept)  # where there are too few
        self.memory = kept[again].to(self.memory)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        found = state_dict.get(f"{prefix}memory")
        if isinstance(found, Tensor) and found.dim() == 2 and found.shape[1] == self.memory.shape[1]:
            self.memory = self.memory.new_zeros(found.shape)  # as many normals as were kept
        super()._load_from_state_dict(state_dict, prefix, *args)
