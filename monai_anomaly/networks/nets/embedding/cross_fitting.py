# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Scores of training images by heads that have not seen them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from monai_anomaly.networks.nets.embedding.heads import Heads

__all__ = ["cross_fitted"]

SCORED = 2048
"""Images that are scored together: a similarity to each of 20,000 normals is 160 MB of them."""


@torch.no_grad()
def cross_fitted(
    heads: Heads, normals: Tensor, pool: Tensor, groups: Sequence[str], *, folds: int = 5, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Score each training image by heads that were fitted without its patient.

    What a head was fitted on is nearer to it than a new image: distances of its own normals are too small, and its own
    pool looks too much like a pool. The features are not copied but by the numbers that a head looks at.

    Args:
        heads: as they are to be fitted; they are not changed.
        normals: features of the training normals ``(N, D)``.
        pool: features of the unlabeled images ``(M, D)``; M may be 0.
        groups: patients of the normals, then of the pool.
        folds: parts of the patients; fewer where there are fewer patients.
        seed: of the parts.

    Returns:
        scores ``(N, R)`` and ``(M, R)``.

    Raises:
        ValueError: when normals or pool are of a single patient.
    """
    count = len(normals)
    scores = torch.zeros(count + len(pool), heads.count)
    for rest, part in _parts(count, groups, folds, seed):
        fitted = copy.deepcopy(heads).cpu()
        fitted.fit(normals, pool, (rest[rest < count], rest[rest >= count] - count))
        for some in part.split(SCORED):
            features = torch.cat([normals[some[some < count]], pool[some[some >= count] - count]])
            scores[some] = fitted(features)[0]
    return scores[:count], scores[count:]


def _parts(normals: int, groups: Sequence[str], folds: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the places of the images to fit on and of those to score, for each part; none shares a patient."""
    from sklearn.model_selection import StratifiedGroupKFold  # its import takes longer than scoring an image

    of_normals, of_pool = set(groups[:normals]), set(groups[normals:])
    fewest = min(len(each) for each in (of_normals, of_pool) if each or each is of_normals)
    if fewest < 2:
        name = "normals" if len(of_normals) < 2 else "pool"
        raise ValueError(f"scores of new images are learned from parts of the patients, and the {name} are of one.")
    labels = np.arange(len(groups)) >= normals
    splitter = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=seed)
    for rest, part in splitter.split(labels, labels, np.asarray(groups)):
        yield torch.from_numpy(rest), torch.from_numpy(part)
