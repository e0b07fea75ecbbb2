# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LocalDistance"]

_FLOOR = 1e-6
"""Smallest variance, that of features which are the same in all normals; those of a backbone are about 1."""


class LocalDistance(nn.Module):
    """How far the features of each position are from those of normal images there: a Mahalanobis distance.

    Each position has a mean of its own, and all of them share one covariance, so that a few dozen normals are enough
    and memory does not grow with the square of the channels at every position, as in PaDiM.

    Args:
        channels: C of the features.
        size: their height and width.

    Raises:
        ValueError: in ``fit``, with fewer than 2 images or features that are not finite.

    Source: Defard et al., "PaDiM", https://arxiv.org/abs/2011.08785, with a mean for each position; Rippel et al.,
    https://arxiv.org/abs/2005.14140, for one Gaussian of pretrained features.
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        mean: Tensor
        whitening: Tensor

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, *size))
        self.register_buffer("whitening", torch.eye(channels)[:, :, None, None])

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(B, C, h, w)`` to distances ``(B, 1, h, w)``, float32, in deviations of a normal channel.

        They are divided by the square root of C, so that they are about 1 for normals, whatever C is.
        """
        whitened = F.conv2d(features.float() - self.mean, self.whitening)
        return whitened.square().mean(dim=1, keepdim=True).sqrt()

    @torch.jit.unused
    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Take means and covariance from features of normal images, in one pass and float64.

        Args:
            batches: features ``(B, C, h, w)``, at least 2 in all.
        """
        count, total, products = (
            0,
            self.mean.new_zeros(self.mean.shape[1:]).double(),
            self.whitening.double()[..., 0, 0],
        )
        products = torch.zeros_like(products)
        for batch in batches:
            values = batch.to(total)
            rows = values.movedim(1, -1).flatten(end_dim=2)
            count, total, products = count + len(values), total + values.sum(dim=0), products + rows.T @ rows
        if count < 2:
            raise ValueError(f"the distance of each position needs at least 2 normals, got {count}.")
        mean = total / count
        positions = mean.flatten(start_dim=1)
        covariance = (products / count - positions @ positions.T) / positions.shape[1]
        if not torch.isfinite(covariance).all():
            raise ValueError("features of the normals are not finite; check the images and the backbone's weights.")
        factor = torch.linalg.cholesky(_shrunk(covariance, count))
        whitening = torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False)
        self.mean.copy_(mean[None])
        self.whitening.copy_(whitening[:, :, None, None])


def _shrunk(covariance: Tensor, count: int) -> Tensor:
    """Shrink a covariance ``(C, C)`` to a multiple of the identity by the oracle approximation, for so many samples.

    ``sklearn.covariance.oas`` wants the samples themselves. Positions of one image are no independent samples; images
    are counted.
    """
    channels = len(covariance)
    level = covariance.diagonal().mean()
    power, isotropic = covariance.square().mean(), level.square()
    share = ((power + isotropic) / ((count + 1.0) * (power - isotropic / channels)).clamp(min=1e-12)).clamp(max=1.0)
    floor = torch.finfo(torch.float32).eps * level + _FLOOR
    return (1 - share) * covariance + (share * level + floor) * torch.eye(channels).to(covariance)
