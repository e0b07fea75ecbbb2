# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much features look like those of an unlabeled pool, and not like the normals'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.density.checks import check_features, check_positive

__all__ = ["PoolContrast"]

_LEAST = 1e-6


class PoolContrast(nn.Module):
    """Logistic regression of normals against an unlabeled pool, whose images are normal or not.

    Features are standardized by the normals and clipped. Normals of the pool contradict the regression on both sides
    alike, so that its direction is the one in which the abnormal images lie, as far as nothing else separates the two.

    Args:
        features: D.
        inverse_penalty: C of scikit-learn's ``LogisticRegression``.
        limit: deviations of the normals at which a feature is clipped.

    Attributes:
        center: ``(D,)``, the normals' mean; 0 before :meth:`fit`.
        spread: ``(D,)``, their standard deviation; 1 before :meth:`fit`.
        coefficients: ``(D,)``; 0 before :meth:`fit`.
        intercept: one number; 0 before :meth:`fit`.

    Raises:
        ValueError: on an argument that is not positive, and in ``fit``.

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

    def __init__(self, features: int, *, inverse_penalty: float = 1e-3, limit: float = 6.0) -> None:
        super().__init__()
        check_positive(features=features, inverse_penalty=inverse_penalty, limit=limit)
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
        """Learn from the features of all training normals ``(N, D)`` and of the pool ``(M, D)``, each side as heavy.

        Raises:
            ValueError: with fewer than 2 normals, an empty pool, or features that are not finite.
        """
        from sklearn.linear_model import LogisticRegression  # its import takes longer than scoring an image

        check_features(normals, 2, "normals")
        check_features(pool, 1, "images of the pool")
        samples = torch.cat([normals, pool]).detach().cpu().double()
        center = samples[: len(normals)].mean(dim=0)
        spread = samples[: len(normals)].std(dim=0, correction=0) + _LEAST
        samples = ((samples - center) / spread).clamp(-self.limit, self.limit)
        sides = [0] * len(normals) + [1] * len(pool)
        model = LogisticRegression(C=self.inverse_penalty, class_weight="balanced", max_iter=2000)
        model.fit(samples.numpy(), sides)
        self.center.copy_(center)
        self.spread.copy_(spread)
        self.coefficients.copy_(torch.from_numpy(model.coef_[0]))
        self.intercept.fill_(float(model.intercept_[0]))
