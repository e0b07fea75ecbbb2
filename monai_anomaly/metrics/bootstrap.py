# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The bootstrap over patients that every interval of this package rests on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from monai_anomaly.metrics.checked_scores import ScoreTable, one_class_reason
from monai_anomaly.metrics.intervals import interval, measure, undefined

__all__ = ["Bootstrap", "Counts", "bootstrap", "count_above", "mean_measure"]

_CHUNK = 4_000_000
"""Weights held at once: 32 MB per array."""

Floats = npt.NDArray[np.float64]


class Counts(NamedTuple):
    """How many images of each class score at least each distinct score, in each of R resamples."""

    thresholds: Floats
    """Infinity, then the K distinct scores, falling, shape ``(K + 1,)``."""
    abnormal: Floats
    """Weight of the abnormal images with ``score >= threshold``, shape ``(R, K + 1)``; the first column is 0."""
    normal: Floats
    """The same of the normal images."""

    @property
    def sensitivity(self) -> Floats:
        """Share of the abnormal images above each threshold, ``(R, K + 1)``; NaN without abnormal images."""
        return _share(self.abnormal)

    @property
    def false_alarm_rate(self) -> Floats:
        """Share of the normal images above each threshold, ``(R, K + 1)``; NaN without normal images."""
        return _share(self.normal)

    def column(self, threshold: float) -> int:
        """Return the column of the decision ``score >= threshold``."""
        return max(0, int(np.count_nonzero(self.thresholds >= threshold)) - 1)


def _share(count: Floats) -> Floats:
    total = count[:, -1:]
    share: Floats = count / np.where(total > 0, total, np.nan)
    return share


def count_above(table: ScoreTable, weights: Floats | None = None) -> Counts:
    """Count a set with weighted images, by one sort and cumulative sums; scikit-learn sorts for each weighting.

    Args:
        table: labels and scores of the images.
        weights: weights of the images in R resamples, ``(R, N)``; None counts every image once (R = 1).
    """
    order = np.argsort(-table.scores, kind="stable")
    ordered, positive = table.scores[order], table.positive[order]
    first = np.flatnonzero(np.r_[True, np.diff(ordered) < 0])
    weight = np.ones((1, len(order))) if weights is None else weights[:, order]
    thresholds = np.r_[np.inf, ordered[first]]
    return Counts(thresholds, _cumulate(weight * positive, first), _cumulate(weight * ~positive, first))


def _cumulate(weight: Floats, first: npt.NDArray[np.intp]) -> Floats:
    total = np.add.reduceat(weight, first, axis=1).cumsum(axis=1)
    return np.concatenate([np.zeros((len(total), 1)), total], axis=1)


@dataclass(frozen=True)
class Bootstrap:
    """Statistics of a test set and of its resamples, by name."""

    value: Mapping[Hashable, Any]
    """On the set itself: a number, or an array ``(P,)``."""
    resampled: Mapping[Hashable, Floats]
    """On R resamples: ``(R,)`` or ``(R, P)``."""
    n_normal: int
    """Groups (patients) with a normal image."""
    n_abnormal: int
    """Groups with an abnormal image."""
    n_groups: int
    n_bootstrap: int
    """R."""
    reason: str
    """Why a statistic that is NaN is undefined."""

    def interval(self, name: Hashable, of: str = "both") -> tuple[Any, Any, str]:
        """Return the 95 % interval of a statistic, see :func:`monai_anomaly.metrics.intervals.interval`.

        Args:
            name: the statistic.
            of: the images it is about: ``"normal"``, ``"abnormal"``, ``"both"``, or ``"pairs"`` of both (an AUC).

        Returns:
            low and high end (``()`` or ``(P,)``) and an empty reason, or None, None and why there is none.
        """
        fewer = min(self.n_normal, self.n_abnormal)
        cases = {"normal": self.n_normal, "abnormal": self.n_abnormal}.get(of, fewer)
        if cases < 2:
            return None, None, "no interval: fewer than two groups (patients) of a class"
        if self.n_bootstrap == 0:
            return None, None, "no interval: no resamples"
        value, resampled = self.value[name], self.resampled[name]
        if of != "pairs":
            return *interval(value, resampled, cases=cases, effective=cases), ""
        pairs = _effective_pairs(float(value), self.n_normal, self.n_abnormal)
        variance = value * (1 - value) / pairs
        return *interval(value, resampled, cases=cases, effective=pairs, variance=variance), ""

    def measure(self, name: Hashable, of: str = "both") -> dict[str, Any]:
        """Return the statistic as :func:`~monai_anomaly.metrics.intervals.measure` gives it, or ``undefined``."""
        if np.isnan(self.value[name]):
            return undefined(self.reason)
        low, high, why = self.interval(name, of)
        return measure(self.value[name], None if why else (float(low), float(high)), why)


def _effective_pairs(auroc: float, n_normal: int, n_abnormal: int) -> float:
    """Independent pairs that would vary as an AUC does: Hanley and McNeil's (1982) model, as Newcombe (2006) has it."""
    more = (n_normal + n_abnormal) / 2 - 1
    a = max(auroc, 1 - auroc)
    return n_normal * n_abnormal / (1 + more * ((1 - a) / (2 - a) + a / (1 + a)))


def bootstrap(
    table: ScoreTable,
    statistics: Callable[[Counts], Mapping[Hashable, Floats]],
    *,
    seed: int,
    n_bootstrap: int,
) -> Bootstrap:
    """Compute statistics of a set and of resamples of whole groups with replacement.

    Images of one patient are not independent, so that resampling images would give an interval that is too narrow.
    Resamples that drew a single class are left out, which is drawing them again: no curve is defined on them. Classes
    are not resampled apart (stratified): a patient may have images of both. A set with one class keeps all resamples.

    Args:
        table: the test set.
        statistics: numbers of R resamples by name, each ``(R,)`` or ``(R, P)``.
        seed: seed of the resampling.
        n_bootstrap: number of resamples.
    """
    whole = statistics(count_above(table))
    parts: dict[Hashable, list[Floats]] = {name: [v[:0]] for name, v in whole.items()}
    reason, n_done = one_class_reason(table.positive), 0
    for weights in _resampled_weights(table.codes, seed=seed, n_bootstrap=n_bootstrap):
        if not reason:
            n_abnormal = weights @ table.positive
            weights = weights[(n_abnormal > 0) & (n_abnormal < weights.sum(axis=1))]
        n_done += len(weights)
        for name, v in statistics(count_above(table, weights)).items():
            parts[name].append(v)
    return Bootstrap(
        {name: v[0] for name, v in whole.items()},
        {name: np.concatenate(v) for name, v in parts.items()},
        len(np.unique(table.codes[~table.positive])),
        len(np.unique(table.codes[table.positive])),
        int(table.codes.max()) + 1,
        n_done,
        reason,
    )


def mean_measure(values: Floats, codes: npt.NDArray[np.intp], *, seed: int, n_bootstrap: int) -> dict[str, Any]:
    """Return the mean over images of a number between 0 and 1, with its interval.

    Args:
        values: number of each image, ``(N,)`` with N > 0.
        codes: group number of each image, 0 to G - 1, ``(N,)``.
        seed: seed of the resampling.
        n_bootstrap: number of resamples.
    """
    mean, cases = float(values.mean()), len(np.unique(codes))
    if cases < 2 or n_bootstrap == 0:
        few = "fewer than two groups (patients)" if cases < 2 else "no resamples"
        return measure(mean, None, f"no interval: {few}")
    weights = _resampled_weights(codes, seed=seed, n_bootstrap=n_bootstrap)
    resampled = np.concatenate([(w @ values) / w.sum(axis=1) for w in weights])
    low, high = interval(mean, resampled, cases=cases, effective=cases)
    return measure(mean, (float(low), float(high)))


def _resampled_weights(codes: npt.NDArray[np.intp], *, seed: int, n_bootstrap: int) -> Iterator[Floats]:
    """Yield how often resamples drew each image's group, ``(R, N)`` at a time."""
    random = np.random.default_rng(seed)
    n_groups = int(codes.max()) + 1
    rows = max(1, _CHUNK // max(len(codes), n_groups))
    for start in range(0, n_bootstrap, rows):
        n = min(rows, n_bootstrap - start)
        drawn = random.integers(n_groups, size=(n, n_groups)) + np.arange(n)[:, None] * n_groups
        times = np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.float64)
        yield times[:, codes]
