# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An area under the ROC curve without labels: held-out normals against an unlabeled pool."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.handlers.ignite_metric import IgniteMetricHandler
from monai.metrics.rocauc import ROCAUCMetric
from sklearn.metrics import roc_auc_score

from monai_anomaly.metrics.evaluator_output import score_and_label

__all__ = ["PoolAUROC", "describe_pool_auroc", "pool_auroc"]


def pool_auroc(normal_scores: npt.ArrayLike, pool_scores: npt.ArrayLike, normal_share: float | None = None) -> float:
    """ROC AUC of normal against abnormal images, from normals and a pool of both.

    A normal image wins against one of the pool's normals half of the time, so that with their share ``pi`` the pool's
    AUC is ``pi / 2 + (1 - pi) AUC``, which is solved for the AUC. It is a straight line in it: detectors rank the same
    with any ``pi``. With few images it may come out below 0 or above 1, and is not cut off, which would bias it.

    The pool's normals must be like the held-out ones (same machine and patients); else their difference counts, too.

    Args:
        normal_scores: scores of held-out normals, higher = more anomalous, shape ``(N,)``.
        pool_scores: scores of the unlabeled pool, shape ``(M,)``.
        normal_share: share of normal images in the pool, at least 0 and below 1; None when it is not known, and the
            pool's AUC is returned as it is.

    Raises:
        ValueError: when there are no normals or no pool, a score is not finite, all scores are equal, or the share is
            outside of [0, 1).
    """
    _check_share(normal_share)
    normal, pool = np.asarray(normal_scores, np.float64).ravel(), np.asarray(pool_scores, np.float64).ravel()
    why = _undefined(normal, pool)
    if why:
        raise ValueError(f"The AUC against the pool is undefined: {why}.")
    labels = np.r_[np.zeros(len(normal)), np.ones(len(pool))]
    value = float(roc_auc_score(labels, np.r_[normal, pool]))
    return value if normal_share is None else (value - normal_share / 2) / (1 - normal_share)


def describe_pool_auroc(normal_share: float | None) -> str:
    """Name the metric in words, for a report."""
    if normal_share is None:
        correction = "not corrected for the pool's normals"
    else:
        correction = f"corrected for a share of {normal_share:g} normals in it"
    return f"the AUC of held-out normals against an unlabeled pool, {correction}"


def _check_share(normal_share: float | None) -> None:
    if normal_share is not None and not 0 <= normal_share < 1:
        raise ValueError(f"normal_share must be at least 0 and below 1, got {normal_share}.")


def _undefined(normal: npt.NDArray[np.float64], pool: npt.NDArray[np.float64]) -> str:
    scores = np.r_[normal, pool]
    if len(normal) == 0 or len(pool) == 0:
        return f"there are {len(normal)} held-out normals (label 0) and {len(pool)} unlabeled images (label -1)"
    if not np.isfinite(scores).all():
        return "a score is not finite, training may have diverged"
    return "all scores are equal" if scores.min() == scores.max() else ""


class PoolAUROC(IgniteMetricHandler):
    """:func:`pool_auroc` of a validation set, as a key metric of an evaluator, to choose a checkpoint without labels.

    Images with the label 0 are the held-out normals and those with -1 the pool
    (:func:`monai_anomaly.data.lists.pool.with_pool`); others are left out. Where it is undefined it is NaN, with one
    warning per run. Several processes put their scores together; an image that is scored twice changes nothing.

    Args:
        output_transform: gives the scores and the labels from ``engine.state.output``; by default the keys ``score``
            and ``label`` of each item.
        normal_share: share of normal images in the pool, if known.

    Raises:
        ValueError: when the share is outside of [0, 1).
    """

    def __init__(
        self, output_transform: Callable[[Any], Any] = score_and_label, *, normal_share: float | None = None
    ) -> None:
        # MONAI's metric collects the scores over iterations and processes; its own AUC is not used.
        super().__init__(metric_fn=ROCAUCMetric(), output_transform=output_transform, save_details=False)
        _check_share(normal_share)
        self.normal_share = normal_share
        self._warned = False

    def compute(self) -> float:
        """Return the AUC of the epoch, or NaN when it is undefined."""
        collected = self.metric_fn.get_buffer() or (torch.empty(0), torch.empty(0))
        scores, labels = (values.double().cpu().numpy() for values in collected)
        try:
            return pool_auroc(scores[labels == 0], scores[labels == -1], self.normal_share)
        except ValueError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(f"{error} It is reported as NaN.", stacklevel=2)
            return math.nan
