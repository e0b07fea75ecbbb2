# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much features look like those of an unlabeled pool, and not like the normals'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.density.checks import check_features, check_positive
from monai_anomaly.networks.blocks.density.moments import BLOCK, Moments, mean_and_spread, mean_of, moments

__all__ = ["PoolContrast"]

_LEAST = 1e-6


class PoolContrast(nn.Module):
    """What tells an unlabeled pool, whose images are normal or not, from the normals: a linear function of features.

    Features are standardized by the normals and clipped. Fisher's discriminant is the inverse of the normals'
    covariance times the difference of the pool's mean from theirs: how much of that difference an image has, in
    directions in which normals hardly vary more than in others. The pool's normals shorten that difference and do not
    turn it, as far as nothing else separates the two. The covariance is shrunk as Ledoit and Wolf do, for more features
    than there are images.

    Args:
        features: D.
        inverse_penalty: C of a logistic regression of normals against the pool, in place of the discriminant; None for
            the discriminant.
        limit: deviations of the normals at which a feature is clipped.

    Attributes:
        center: ``(D,)``, the normals' mean; 0 before :meth:`fit`.
        spread: ``(D,)``, their standard deviation; 1 before :meth:`fit`.
        coefficients: ``(D,)``; 0 before :meth:`fit`.
        intercept: one number; 0 before :meth:`fit`.

    Raises:
        ValueError: on an argument that is not positive, and in ``fit``.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936; the shrinkage as in
    :class:`.MahalanobisDistance`.

    Example:
        >>> contrast = PoolContrast(4)
        >>> contrast.fit(torch.rand(10, 4), torch.rand(10, 4))
        >>> contrast(torch.rand(2, 4))[0].shape
        torch.Size([2])
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        center: Tensor
        spread: Tensor
        coefficients: Tensor
        intercept: Tensor

    def __init__(self, features: int, *, inverse_penalty: float | None = None, limit: float = 6.0) -> None:
        super().__init__()
        check_positive(features=features, limit=limit)
        if inverse_penalty is not None:
            check_positive(inverse_penalty=inverse_penalty)
        self.inverse_penalty = inverse_penalty
        self.limit = limit
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.register_buffer("coefficients", torch.zeros(features))
        self.register_buffer("intercept", torch.zeros(()))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(B, D)`` to scores ``(B,)``, higher is more like the pool, and to weights ``(B, D)``.

        The score of ``f`` is ``(weights * (f - center)).sum()`` and the intercept: where a feature was clipped, its
        weight is so much smaller.
        """
        offset = (features.float() - self.center) / self.spread
        kept = self.limit / offset.abs().clamp(min=self.limit)  # 1 but for what is clipped
        weights = self.coefficients * kept
        return (weights * offset).sum(dim=1) + self.intercept, weights / self.spread

    @torch.jit.unused
    @torch.no_grad()
    def fit(self, normals: Tensor, pool: Tensor) -> None:
        """Learn from the features of all training normals ``(N, D)`` and of the pool ``(M, D)``.

        Those of more than 8,192 normals are looked at in parts: the same but for rounding, in bounded memory. A
        logistic regression needs a copy of all features, in float64.

        Raises:
            ValueError: with fewer than 2 normals, an empty pool, or features that are not finite.
        """
        normals, pool = normals.detach().cpu(), pool.detach().cpu()
        check_features(normals, 2, "normals")
        check_features(pool, 1, "images of the pool")
        center, spread = mean_and_spread(normals)
        spread = spread + _LEAST

        def clipped(features: Tensor) -> Tensor:
            return ((features.double() - center) / spread).clamp(-self.limit, self.limit)

        if self.inverse_penalty is not None:
            coefficients, intercept = _regression(clipped(normals), clipped(pool), self.inverse_penalty)
        else:
            other = mean_of(map(clipped, pool.split(BLOCK)))
            if len(normals) > max(BLOCK, len(center)):
                coefficients, intercept = _discriminant_in_parts(moments(normals, clipped), other)
            else:
                coefficients, intercept = _discriminant(clipped(normals), other)
        self.center.copy_(center)
        self.spread.copy_(spread)
        self.coefficients.copy_(coefficients)
        self.intercept.fill_(intercept)


def _discriminant(normals: Tensor, other: Tensor) -> tuple[Tensor, float]:
    """Return Fisher's coefficients ``(D,)``, and the intercept that is 0 halfway between both means."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # its import takes longer than scoring an image

    mean = normals.mean(dim=0)
    samples, offset = normals - mean, other - mean
    shrinkage = float(ledoit_wolf_shrinkage(samples.numpy(), assume_centered=True))
    level = max(shrinkage * float(samples.square().mean()), _LEAST)
    gain = (1.0 - shrinkage) / len(samples)  # the covariance is gain * samples' products + level
    if len(samples) < samples.shape[1]:  # by Woodbury's identity what is solved has a row for each normal only
        inner = gain * samples @ samples.T + level * torch.eye(len(samples)).to(samples)
        coefficients = (offset - gain * samples.T @ torch.linalg.solve(inner, samples @ offset)) / level
    else:
        covariance = gain * samples.T @ samples + level * torch.eye(samples.shape[1]).to(samples)
        coefficients = torch.linalg.solve(covariance, offset)
    return coefficients, _halfway(coefficients, mean, other)


def _discriminant_in_parts(found: Moments, other: Tensor) -> tuple[Tensor, float]:
    """Return the same from the moments of normals that are too many to be copied."""
    level = max(found.shrinkage * float(found.covariance.diagonal().mean()), _LEAST)
    covariance = (1.0 - found.shrinkage) * found.covariance + level * torch.eye(len(other)).to(other)
    coefficients = torch.linalg.solve(covariance, other - found.center)
    return coefficients, _halfway(coefficients, found.center, other)


def _halfway(coefficients: Tensor, mean: Tensor, other: Tensor) -> float:
    return -float(coefficients @ (mean + other)) / 2.0


def _regression(normals: Tensor, pool: Tensor, inverse_penalty: float) -> tuple[Tensor, float]:
    """Return coefficients ``(D,)`` and intercept of a logistic regression in which each side is as heavy."""
    from sklearn.linear_model import LogisticRegression

    sides = [0] * len(normals) + [1] * len(pool)
    model = LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=2000)
    model.fit(torch.cat([normals, pool]).numpy(), sides)
    return torch.from_numpy(model.coef_[0]), float(model.intercept_[0])
