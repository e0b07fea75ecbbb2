# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""How well image scores separate abnormal from normal images, and how sure that number is."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.handlers.ignite_metric import IgniteMetricHandler
from monai.metrics.rocauc import ROCAUCMetric
from sklearn.metrics import average_precision_score, roc_auc_score

__all__ = ["ImageAUROC", "image_level_metrics"]

_CHUNK = 4_000_000
"""Weights held at once by the bootstrap: 32 MB per array."""


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

    The interval is the 2.5 to 97.5 percentile of the AUC over resamples of whole groups with replacement: images of one
    patient are not independent, so that resampling images would give an interval that is too narrow. Resamples that
    drew a single class have no AUC and are left out. A percentile interval of a perfect separation is ``[1, 1]``.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        names: names of the images, for error messages only.
        seed: seed of the resampling.
        n_bootstrap: number of resamples; 0 for no interval.

    Returns:
        ``auroc``, ``auroc_interval`` (``[low, high]``, or ``None`` when there are fewer than two groups or no resample
        held both classes), ``average_precision``, ``n_normal``, ``n_abnormal``, ``n_groups``, ``n_bootstrap`` (the
        resamples that the interval rests on) and ``seed``; Python numbers that JSON can hold.

    Raises:
        ValueError: when the lengths differ, a label is neither 0 nor 1, a score is not finite, or there is one class
            only: the AUC is then undefined, not 0.
    """
    y, s = _checked(labels, scores, names)
    n_abnormal = int(y.sum())
    codes = np.arange(len(y)) if groups is None else _codes(groups)
    if len(codes) != len(y):
        raise ValueError(f"groups must have one entry per image, got {len(codes)} for {len(y)} images.")
    resampled = _bootstrap_auroc(y, s, codes, seed=seed, n_bootstrap=n_bootstrap)
    n_groups = int(codes.max()) + 1
    known = n_groups > 1 and len(resampled) > 0
    return {
        "auroc": float(roc_auc_score(y, s)),
        "auroc_interval": [float(q) for q in np.quantile(resampled, [0.025, 0.975])] if known else None,
        "average_precision": float(average_precision_score(y, s)),
        "n_normal": len(y) - n_abnormal,
        "n_abnormal": n_abnormal,
        "n_groups": n_groups,
        "n_bootstrap": len(resampled) if known else 0,
        "seed": seed,
    }


def _codes(groups: Sequence[str]) -> npt.NDArray[np.intp]:
    """Numbers the groups in the order of first appearance: names may be hashes, whose order differs between sites."""
    numbers: dict[str, int] = {}
    return np.asarray([numbers.setdefault(str(group), len(numbers)) for group in groups], dtype=np.intp)


def _checked(
    labels: npt.ArrayLike, scores: npt.ArrayLike, names: Sequence[str] | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Labels and scores as arrays, or one clear sentence."""
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or (names is not None and len(names) != len(s)):
        raise ValueError(f"labels, scores and names must be one value per image, got shapes {y.shape} and {s.shape}.")
    strange = ~np.isin(y, (0, 1))
    if strange.any():
        raise ValueError(f"Labels must be 0 (normal) or 1 (abnormal), got {y[strange][0]!r}.")
    bad = np.flatnonzero(~np.isfinite(s))
    if len(bad):
        who = f"'{names[bad[0]]}'" if names is not None else f"number {bad[0]} (counting from 0)"
        raise ValueError(
            f"The score of image {who} is {s[bad[0]]}, and {len(bad)} of {len(s)} scores are not finite, so that no "
            "metric is defined. Look at that image and at whether training diverged."
        )
    positive = y.astype(bool)
    if not positive.any() or positive.all():
        held = "no images" if len(y) == 0 else "only abnormal images" if positive.all() else "only normal images"
        raise ValueError(
            f"The test set holds {held} ({len(y)}), so that the ROC AUC is undefined. Add images of the other class "
            "to the test section, or use inference, which needs no labels."
        )
    return positive, s


def _bootstrap_auroc(
    y: npt.NDArray[np.bool_], s: npt.NDArray[np.float64], codes: npt.NDArray[np.intp], *, seed: int, n_bootstrap: int
) -> npt.NDArray[np.float64]:
    """AUC of each resample of groups, shape ``(R,)`` with ``R <= n_bootstrap``.

    A resample is the number of times that each group was drawn, hence an integer weight per image. With the images
    sorted once, the weighted AUC is the weight of abnormal images times that of the normal ones below them, ties
    counting half. (scikit-learn takes ``sample_weight`` but sorts anew for each of the resamples.)
    """
    random = np.random.default_rng(seed)
    n_groups = int(codes.max()) + 1
    order = np.argsort(s, kind="stable")
    positive, group = y[order], codes[order]
    first_of_tie = np.flatnonzero(np.r_[True, np.diff(s[order]) > 0])
    done: list[npt.NDArray[np.float64]] = []
    rows = max(1, _CHUNK // max(len(s), n_groups))
    for start in range(0, n_bootstrap, rows):
        n = min(rows, n_bootstrap - start)
        drawn = random.integers(n_groups, size=(n, n_groups)) + np.arange(n)[:, None] * n_groups
        times = np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.float64)
        weight = times[:, group]  # (n, N), in the order of the scores
        abnormal = np.add.reduceat(weight * positive, first_of_tie, axis=1)  # (n, distinct scores)
        normal = np.add.reduceat(weight * ~positive, first_of_tie, axis=1)
        won = (abnormal * (normal.cumsum(axis=1) - normal / 2)).sum(axis=1)
        pairs = abnormal.sum(axis=1) * normal.sum(axis=1)
        done.append(won[pairs > 0] / pairs[pairs > 0])
    return np.concatenate(done) if done else np.empty(0)


def _score_and_label(output: Sequence[dict[str, Any]]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The pairs that MONAI's metric handlers expect, from the decollated output of an evaluator."""
    scores = [torch.as_tensor(item["score"], dtype=torch.float64).reshape(()) for item in output]
    labels = [torch.as_tensor(item["label"], dtype=torch.float64).reshape(()) for item in output]
    return scores, labels


class ImageAUROC(IgniteMetricHandler):
    """ROC AUC of the image scores of a validation set, as a key metric of an evaluator.

    :class:`monai.handlers.ROCAUC` computes the same number, but takes tensors only, repeats its warning in every epoch
    and ranks a NaN score as the most anomalous. Here a validation set with one class, or a score that is not finite,
    gives NaN and one warning per run: validation sets of normals only are common, and must not stop a training.

    Args:
        output_transform: gives the scores and the labels from ``engine.state.output``; by default the keys ``score``
            (see :class:`monai_anomaly.transforms.score.ScoreFromMapd`) and ``label`` of each item.
    """

    def __init__(self, output_transform: Callable[[Any], Any] = _score_and_label) -> None:
        super().__init__(metric_fn=ROCAUCMetric(), output_transform=output_transform, save_details=False)
        self._warned = False

    def compute(self) -> float:
        """The AUC of the epoch, or NaN when it is undefined."""
        scores, labels = self.metric_fn.get_buffer()
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
    return None
