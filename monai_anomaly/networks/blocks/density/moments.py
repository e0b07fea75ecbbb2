# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Mean, spread and shrunk covariance of very many features, which are looked at in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["BLOCK", "Moments", "mean_and_spread", "mean_of", "moments"]

BLOCK = 8192
"""Rows that are looked at together, in float64: 56 MB of the embedding's longest Gaussian."""


class Moments(NamedTuple):
    """What is known of samples once all have been looked at."""

    center: Tensor
    """Their mean ``(D,)``."""
    covariance: Tensor
    """``(D, D)``, divided by N."""
    shrinkage: float
    """How much of a multiple of the identity Ledoit and Wolf mix in, in [0, 1]."""


def mean_of(blocks: Iterable[Tensor]) -> Tensor:
    """Return the mean ``(D,)``, float64, of all rows of parts ``(B, D)``, of which there is at least one."""
    total, count = torch.zeros(()), 0
    for block in blocks:
        total, count = total + block.sum(dim=0, dtype=torch.float64), count + len(block)
    return total / count


def mean_and_spread(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation ``(D,)``, float64, of samples ``(N, D)``; of very many in two passes."""
    if len(samples) <= BLOCK:
        values = samples.double()
        return values.mean(dim=0), values.std(dim=0, correction=0)
    center = mean_of(samples.split(BLOCK))
    return center, mean_of((block.double() - center).square() for block in samples.split(BLOCK)).sqrt()


def moments(samples: Tensor, change: Callable[[Tensor], Tensor] = Tensor.double) -> Moments:
    """Return the moments of samples in two passes, without a second copy of them.

    Scikit-learn's ``ledoit_wolf_shrinkage``, which this agrees with, squares all samples at once.

    Args:
        samples: ``(N, D)``; N is to be larger than D, as a square of D is kept.
        change: what is done with each part ``(B, D)`` of them first; it returns float64.
    """

    def blocks() -> Iterator[Tensor]:
        return map(change, samples.split(BLOCK))

    count, features = samples.shape
    center = mean_of(blocks())
    products = torch.zeros(features, features, dtype=torch.float64)
    fourth = 0.0
    for block in blocks():
        offset = block - center
        products.addmm_(offset.T, offset)
        fourth += float(offset.square().sum(dim=1).square().sum())
    covariance = products.div_(count)
    power = float(covariance.square().sum())
    level = float(covariance.diagonal().mean())
    error = (fourth / count - power) / (features * count)
    distance = power / features - level**2
    shrinkage = min(error, distance) / distance if min(error, distance) > 0.0 else 0.0
    return Moments(center, covariance, shrinkage)
