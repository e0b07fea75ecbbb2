# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How well image scores separate abnormal from normal images, and how sure that number is."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.handlers.ignite_metric import IgniteMetricHandler
from monai.metrics.rocauc import ROCAUCMetric
from sklearn.metrics import average_precision_score, roc_auc_score

from monai_anomaly.metrics.bootstrap import Counts, bootstrap
from monai_anomaly.metrics.checked_scores import check_scores, one_class_reason
from monai_anomaly.metrics.evaluator_output import score_and_label

__all__ = ["ImageAUROC", "area_under_roc", "average_precision", "image_level_metrics"]


def image_level_metrics(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> dict[str, Any]:
    """ROC AUC with an interval, and average precision, of the scores of one test set.

    The intervals rest on resamples of whole groups (:func:`monai_anomaly.metrics.bootstrap.bootstrap`) and on the logit
    (:func:`monai_anomaly.metrics.intervals.interval`), which holds what 95 % says near 1 and with few patients, too.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        names: names of the images, for error messages only.
        seed: seed of the resampling.
        n_bootstrap: number of resamples; 0 for no interval.

    Returns:
        ``auroc``, ``auroc_interval`` (``[low, high]``, or ``None`` when a class has fewer than two groups, or there are
        no resamples), ``average_precision``, ``average_precision_interval``, ``n_normal``, ``n_abnormal``,
        ``n_groups``, ``n_bootstrap`` (the resamples that the interval rests on) and ``seed``; Python numbers that JSON
        can hold.

    Raises:
        ValueError: when the lengths differ, a label is neither 0 nor 1, a score is not finite, all scores are equal, or
            there is one class only: the AUC is then undefined, not a half and not 0.
    """
    table = check_scores(labels, scores, groups, names)
    if why := one_class_reason(table.positive):
        raise ValueError(
            f"{why[0].upper()}{why[1:]}, so that the ROC AUC is undefined. Add images of the other class to the test "
            "section, or use inference, which needs no labels."
        )
    statistics = bootstrap(table, _statistics, seed=seed, n_bootstrap=n_bootstrap)
    n_abnormal = int(table.positive.sum())
    return {
        "auroc": float(roc_auc_score(table.positive, table.scores)),
        "auroc_interval": statistics.measure("auroc", "pairs")["interval"],
        "average_precision": float(average_precision_score(table.positive, table.scores)),
        "average_precision_interval": statistics.measure("average_precision")["interval"],
        "n_normal": len(table.scores) - n_abnormal,
        "n_abnormal": n_abnormal,
        "n_groups": statistics.n_groups,
        "n_bootstrap": statistics.n_bootstrap if min(statistics.n_normal, statistics.n_abnormal) > 1 else 0,
        "seed": seed,
    }


def _statistics(counts: Counts) -> dict[Hashable, npt.NDArray[np.float64]]:
    """AUC (ties counting half) and average precision of R resamples, ``(R,)``."""
    return {"auroc": area_under_roc(counts), "average_precision": average_precision(counts)}


def area_under_roc(counts: Counts) -> npt.NDArray[np.float64]:
    """Return the area under the ROC curve, ``(R,)``: the share of pairs in the right order, ties counting half."""
    hits, alarms = counts.sensitivity, counts.false_alarm_rate
    return np.asarray((np.diff(alarms, axis=1) * (hits[:, 1:] + hits[:, :-1]) / 2).sum(axis=1))


def average_precision(counts: Counts) -> npt.NDArray[np.float64]:
    """Return the mean precision over the abnormal images, ``(R,)``, as scikit-learn defines it."""
    flagged = counts.abnormal[:, 1:] + counts.normal[:, 1:]
    precision = counts.abnormal[:, 1:] / np.maximum(flagged, 1e-300)
    return np.asarray((np.diff(counts.sensitivity, axis=1) * precision).sum(axis=1))


class ImageAUROC(IgniteMetricHandler):
    """ROC AUC of the image scores of a validation set, as a key metric of an evaluator.

    :class:`monai.handlers.ROCAUC` computes the same number, but takes tensors only, repeats its warning in every epoch
    and ranks a NaN score as the most anomalous. Here a validation set with one class or equal scores, or a score that
    is not finite, gives NaN and one warning per run: validation sets of normals only are common, and must not stop a
    training.

    Args:
        output_transform: gives the scores and the labels from ``engine.state.output``; by default the keys ``score``
            (see :class:`monai_anomaly.transforms.score.ScoreFromMapd`) and ``label`` of each item.
    """

    def __init__(self, output_transform: Callable[[Any], Any] = score_and_label) -> None:
        super().__init__(metric_fn=ROCAUCMetric(), output_transform=output_transform, save_details=False)
        self._warned = False

    def compute(self) -> float:
        """Return the AUC of the epoch, or NaN when it is undefined."""
        scores, labels = self.metric_fn.get_buffer() or (None, None)
        reason = _undefined(scores, labels)
        if reason is None:
            return float(super().compute())
        if not self._warned:
            self._warned = True
            warnings.warn(f"The validation ROC AUC is undefined and reported as NaN: {reason}.", stacklevel=2)
        return math.nan


def _undefined(scores: torch.Tensor | None, labels: torch.Tensor | None) -> str | None:
    if scores is None or labels is None:
        return "there are no validation images"
    if not bool(torch.isfinite(scores).all()):
        return "a score is not finite, training may have diverged"
    if len(labels.unique()) == 1:
        return f"every validation image has the label {labels[0].item():g}, and it needs both normal and abnormal ones"
    if len(scores) > 1 and scores.min() == scores.max():
        return f"all {len(scores)} scores are equal"
    return None
