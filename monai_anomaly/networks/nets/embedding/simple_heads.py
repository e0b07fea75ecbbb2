# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Scores of one vector of features, each with its gradient, in which it is linear at every image."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ContrastHead", "CosineHead", "MahalanobisHead"]

_LEAST = 1e-6


class MahalanobisHead(nn.Module):
    """Mahalanobis distance from the normals."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("precision", torch.eye(features))
        self.mean: Tensor
        self.precision: Tensor

    @torch.jit.unused
    def fit(self, normals: Tensor) -> None:
        """Take the normals ``(N, D)``."""
        spread = normals.std(dim=0, correction=0).mean().clamp(min=_LEAST)
        fitted = LedoitWolf().fit((normals / spread).double().numpy())
        covariance = torch.from_numpy(fitted.covariance_)
        covariance = covariance + _LEAST * torch.eye(len(covariance), dtype=covariance.dtype)
        self.mean.copy_(normals.mean(dim=0))
        self.precision.copy_(torch.linalg.inv(covariance) / spread.double() ** 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, D)`` to scores ``(B,)`` and weights ``(B, D)``."""
        offset = features - self.mean
        weights = offset @ self.precision
        distance = (weights * offset).sum(dim=1).clamp(min=0.0).sqrt()
        return distance, weights / (distance[:, None] + 1e-6)


class CosineHead(nn.Module):
    """Mean cosine distance to the nearest normals."""

    def __init__(self, features: int, neighbors: int = 5) -> None:
        super().__init__()
        self.neighbors = neighbors
        self.register_buffer("memory", torch.zeros(neighbors, features))
        self.memory: Tensor

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        found = state_dict.get(f"{prefix}memory")
        if isinstance(found, Tensor) and found.dim() == 2 and found.shape[1] == self.memory.shape[1]:
            self.memory = self.memory.new_zeros(found.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @torch.jit.unused
    def fit(self, normals: Tensor) -> None:
        """Take the normals ``(N, D)``."""
        kept = torch.arange(max(len(normals), self.neighbors)) % len(normals)  # each again where there are too few
        self.memory = F.normalize(normals, dim=1, eps=_LEAST)[kept].to(self.memory)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, D)`` to scores ``(B,)`` and weights ``(B, D)``."""
        size = features.norm(2, dim=1, keepdim=True).clamp(min=1e-6)
        nearest = (features / size @ self.memory.T).topk(self.neighbors, dim=1)[1]
        middle = self.memory[nearest].mean(dim=1)
        weights = -middle / size
        return 1.0 + (weights * features).sum(dim=1), weights


class ContrastHead(nn.Module):
    """Logistic regression of normals against the pool."""

    def __init__(self, features: int, inverse_penalty: float = 1e-3, limit: float = 6.0) -> None:
        super().__init__()
        self.inverse_penalty = inverse_penalty
        self.limit = limit
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.register_buffer("coefficients", torch.zeros(features))
        self.register_buffer("intercept", torch.zeros(()))
        self.mean: Tensor
        self.std: Tensor
        self.coefficients: Tensor
        self.intercept: Tensor

    @torch.jit.unused
    def fit(self, normals: Tensor, pool: Tensor) -> None:
        """Take the normals ``(N, D)`` and the pool ``(M, D)``."""
        self.mean.copy_(normals.mean(dim=0))
        self.std.copy_(normals.std(dim=0, correction=0) + _LEAST)
        both = torch.cat([normals, pool]).to(self.mean)
        x = ((both - self.mean) / self.std).clamp(-self.limit, self.limit)
        y = [0] * len(normals) + [1] * len(pool)
        model = LogisticRegression(C=self.inverse_penalty, class_weight="balanced", max_iter=2000)
        model.fit(x.cpu().double().numpy(), y)
        self.coefficients.copy_(torch.from_numpy(model.coef_[0]))
        self.intercept.fill_(float(model.intercept_[0]))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, D)`` to scores ``(B,)`` and weights ``(B, D)``."""
        z = (features - self.mean) / self.std
        clipped = z.clamp(-self.limit, self.limit)
        share = clipped / torch.where(z == 0.0, torch.ones_like(z), z)
        share = torch.where(z == 0.0, torch.ones_like(z), share)
        return clipped @ self.coefficients + self.intercept, self.coefficients / self.std * share
