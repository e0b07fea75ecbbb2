# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How many images of an unlabeled pool are abnormal, from scores alone; how much its contrast then counts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["contrast_weight", "pool_share", "score_weights"]

PER_ODDS = 4.0
MOST = 8.0
BOUND = 1.64
"""Standard errors below an estimate of the one-sided bound that holds in 95 of 100."""


def pool_share(normals: Tensor, pool: Tensor) -> float:
    """Estimate the share of abnormal images in a pool: twice the pool's ROC AUC against normals, less one.

    If the pool's normals score as the others do, and its abnormal images above all normals, this is their share; where
    they overlap with normals it is less, so it is a lower bound but for chance. It needs no threshold and no density.

    Args:
        normals: scores of normals ``(N,)``.
        pool: scores of the pool ``(M,)``; neither by what has seen the image.

    Returns:
        a number in [0, 1].

    Raises:
        ValueError: without normals or pool.
    """
    if not len(normals) or not len(pool):
        raise ValueError(f"the share needs normals and a pool, got {len(normals)} and {len(pool)} images.")
    order = normals.double().sort().values
    scores = pool.double().contiguous()
    below = torch.searchsorted(order, scores)
    upto = torch.searchsorted(order, scores, right=True)
    auc = float((below + upto).double().mean()) / (2 * len(order))
    return max(0.0, 2.0 * auc - 1.0)


def contrast_weight(share: float, normals: int, pool: int) -> float:
    """Return how much a contrast counts beside the distance, both in deviations of normals, for a share of the pool.

    It is 4 times the odds of the share, at most 8, and the share is taken at its one-sided 95 % bound: 1.64 standard
    errors less than estimated, the error of the estimate where pool and normals are the same. So a pool without disease
    teaches nothing and does not count, a small one counts for less, and one that is mostly disease for nearly all. With
    2 to 4 times the odds, or 3 to 4 times the share, validation sections have the same ROC AUC within .01; with one
    standard error a pool without disease cost .007 there, with 1.64 it costs .001.

    Args:
        share: as estimated.
        normals: N, the images that were scored for it.
        pool: M, those of the pool.
    """
    error = 2.0 * math.sqrt((normals + pool + 1) / (12 * normals * pool))
    least = max(share - BOUND * error, 0.0)
    return MOST if least >= 1.0 else min(PER_ODDS * least / (1.0 - least), MOST)


def score_weights(normals: Tensor, pool: Tensor) -> tuple[Tensor, float | None]:
    """Find the weights of the sum of several distances and, with a pool, of its contrast.

    Args:
        normals: standardized scores ``(N, R)`` of normals, the contrast last.
        pool: those of the pool ``(M, R)``; M may be 0. None is by what has seen the image.

    Returns:
        the weights ``(R,)``, and the estimated share, None without a pool. The distances count alike, and their sum is
        in its own deviations. The contrast's weight is 0 without a pool.
    """
    distances = normals[:, :-1].sum(dim=1)
    size = distances.std(correction=0).clamp(min=1e-8)
    weights = torch.full((normals.shape[1],), float(1.0 / size)).to(normals)
    if not len(pool):
        weights[-1] = 0.0
        return weights, None
    weights[-1] = 1.0
    share = pool_share(normals @ weights, pool @ weights)
    weights[-1] = contrast_weight(share, len(normals), len(pool))
    return weights, share
