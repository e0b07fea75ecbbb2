# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far a vector is from a cloud of vectors, in units of the cloud's own spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["GaussianDistance"]

RANK = 64
SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True)
class GaussianDistance:
    """A Mahalanobis distance with a shrunken covariance, kept as its main axes.

    The covariance is shrunken as Ledoit and Wolf (2004) say, so that it can be inverted however few vectors there are;
    beyond the main axes all directions count the same. The distance to the nearest vectors was no better where it was
    tried, and would need the vectors, and thumbnails of patients belong in no checkpoint.

    Args:
        mean: ``(D,)``.
        scale: ``(D,)``, what each feature is divided by.
        axes: ``(R, D)``, orthonormal rows.
        weights: ``(R,)``, 1 / standard deviation along each axis.
        rest: 1 / standard deviation along all others.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    weights: Tensor
    rest: float

    @classmethod
    def fit(cls, vectors: Tensor, *, one_unit: bool) -> GaussianDistance:
        """Measure a cloud.

        Args:
            vectors: float ``(N, D)``, N at least 2.
            one_unit: all features are of one unit, so that their spreads can be compared; else each counts the same.
        """
        from sklearn.covariance import ledoit_wolf_shrinkage

        values = vectors.double().numpy()
        mean, scale = values.mean(0), np.maximum(values.std(0), SMALLEST_SPREAD)
        if one_unit:
            scale[:] = np.sqrt(np.mean(scale**2))
        unit = (values - mean) / scale
        shrinkage = float(ledoit_wolf_shrinkage(unit, assume_centered=True))
        variances, axes = np.linalg.eigh(unit.T @ unit / len(unit))
        average = variances.mean()
        variances = (1 - shrinkage) * np.maximum(variances[::-1], 0) + shrinkage * average
        rank = min(RANK, len(variances))
        rest = variances[rank:].mean() if rank < len(variances) else average
        return cls(
            torch.from_numpy(mean).float(),
            torch.from_numpy(scale).float(),
            torch.from_numpy(axes.T[::-1][:rank].copy()).float(),
            torch.from_numpy(1 / np.sqrt(np.maximum(variances[:rank], SMALLEST_SPREAD))).float(),
            float(1 / np.sqrt(max(rest, SMALLEST_SPREAD))),
        )

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the distances ``(B,)``, about 1 for a vector of the cloud.

        Args:
            vectors: float ``(B, D)``.
        """
        unit = (vectors - self.mean) / self.scale
        along = unit @ self.axes.T
        beyond = (unit.square().sum(1) - along.square().sum(1)).clamp_min(0) * self.rest**2
        return (((along * self.weights).square().sum(1) + beyond) / unit.shape[1]).sqrt()
