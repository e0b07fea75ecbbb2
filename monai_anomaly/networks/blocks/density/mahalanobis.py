# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far features are from those of the normals, in units of the normals' own spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.density.checks import check_features, check_positive
from monai_anomaly.networks.blocks.density.moments import BLOCK, moments

__all__ = ["MahalanobisDistance"]

_LEAST = 1e-6


class MahalanobisDistance(nn.Module):
    """Mahalanobis distance with Ledoit and Wolf's shrunk covariance, for more features than there are normals.

    It is the distance of scikit-learn's ``LedoitWolf``, whose precision matrix would have to be kept and multiplied
    whole, by way of the principal axes of the normals: beside them the covariance is the same in all directions. Of
    more than ``axes`` of them the widest are kept, and the mean variance of the others stands for each: memory and time
    are bounded however many normals there are.

    Args:
        features: D.
        axes: most principal axes to keep.

    Attributes:
        center: ``(D,)``; 0 before :meth:`fit`.
        axes: ``(axes, D)``, as rows; 0 where there are fewer.
        gain: ``(axes,)``, the inverse variance along an axis less that beside the axes.
        floor: inverse variance beside the axes; 1 before :meth:`fit`.

    Raises:
        ValueError: on an argument below 1, and in ``fit``.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004; of pooled
    features of a pretrained network: Rippel et al., "Modeling the distribution of normal data in pre-trained deep
    features for anomaly detection", ICPR 2020, arXiv:2005.14140.

    Example:
        >>> distance = MahalanobisDistance(4)
        >>> distance.fit(torch.rand(10, 4))
        >>> distance(torch.rand(2, 4))[0].shape
        torch.Size([2])
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        center: Tensor
        axes: Tensor
        gain: Tensor
        floor: Tensor

    def __init__(self, features: int, axes: int = 512) -> None:
        super().__init__()
        check_positive(features=features, axes=axes)
        count = min(axes, features)
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("axes", torch.zeros(count, features))
        self.register_buffer("gain", torch.zeros(count))
        self.register_buffer("floor", torch.ones(()))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(B, D)`` to distances ``(B,)`` and to the weights ``(B, D)`` of a sum that is the distance.

        The distance of ``f`` is ``(weights * (f - center)).sum()``.
        """
        offset = features.float() - self.center
        weights = self.floor * offset + (torch.matmul(offset, self.axes.T) * self.gain) @ self.axes
        distance = (weights * offset).sum(dim=1).clamp(min=0.0).sqrt()
        return distance, weights / distance.clamp(min=1e-6)[:, None]

    @torch.jit.unused
    @torch.no_grad()
    def fit(self, normals: Tensor) -> None:
        """Take center and covariance from the features ``(N, D)`` of all training normals, in float64.

        Those of more than 8,192 normals are taken in parts: the same but for rounding, in bounded memory.

        Raises:
            ValueError: with fewer than 2 normals, with features that are not finite, and where all normals are equal.
        """
        samples = normals.detach().cpu()
        check_features(samples, 2, "normals")
        in_parts = len(samples) > max(BLOCK, samples.shape[1])
        spectrum = _spectrum_in_parts if in_parts else _spectrum
        center, mean, shrinkage, variance, axes = spectrum(samples, len(self.gain))
        # What the kept axes leave over, in each direction beside them alike; 0 where all are kept.
        beside = max(mean * len(center) - float(variance.sum()), 0.0) / max(len(center) - len(variance), 1)
        floor = max((1.0 - shrinkage) * beside + shrinkage * mean, _LEAST * mean)
        along = ((1.0 - shrinkage) * variance + shrinkage * mean).clamp(min=_LEAST * mean)
        self.axes.zero_()
        self.gain.zero_()
        self.center.copy_(center)
        self.axes[: len(axes)] = axes.to(self.axes)
        self.gain[: len(axes)] = (1.0 / along - 1.0 / floor).to(self.gain)
        self.floor.fill_(1.0 / floor)


class _Spectrum(NamedTuple):
    """What the distance is made of, float64."""

    center: Tensor
    """``(D,)``."""
    mean: float
    """Mean variance of the features."""
    shrinkage: float
    variance: Tensor
    """The largest ones ``(K,)``, largest last."""
    axes: Tensor
    """``(K, D)``."""


def _spectrum(samples: Tensor, most: int) -> _Spectrum:
    """Return the spectrum of samples ``(N, D)`` with at most so many axes."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # its import takes longer than scoring an image

    samples = samples.double()
    center = samples.mean(dim=0)
    samples = samples - center
    mean = _checked(float(samples.square().mean()))
    shrinkage = float(ledoit_wolf_shrinkage(samples.numpy(), assume_centered=True))
    return _Spectrum(center, mean, shrinkage, *_principal_axes(samples, most))


def _spectrum_in_parts(samples: Tensor, most: int) -> _Spectrum:
    """Return the same of samples ``(N, D)`` that are too many to be copied, and more than D."""
    found = moments(samples)
    mean = _checked(float(found.covariance.diagonal().mean()))
    variance, vectors = torch.linalg.eigh(found.covariance)
    return _Spectrum(found.center, mean, found.shrinkage, variance[-most:].clamp(min=0.0), vectors.T[-most:])


def _checked(mean: float) -> float:
    if mean <= 0.0:
        raise ValueError("all normals have the same features; give different images.")
    return mean


def _principal_axes(samples: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the largest variances ``(K,)`` of centered samples ``(N, D)`` and their axes ``(K, D)``, largest last."""
    count = min(most, len(samples) - 1, samples.shape[1])
    if len(samples) > samples.shape[1]:
        variance, vectors = torch.linalg.eigh(samples.T @ samples / len(samples))
        return variance[-count:].clamp(min=0.0), vectors.T[-count:]
    # The samples' products have the same spectrum, and are fewer.
    variance, vectors = torch.linalg.eigh(samples @ samples.T / len(samples))
    variance = variance[-count:].clamp(min=0.0)
    axes = vectors.T[-count:] @ samples
    length = axes.norm(dim=1, keepdim=True)
    return variance, torch.where(length > 0.0, axes / length, torch.zeros_like(axes))
