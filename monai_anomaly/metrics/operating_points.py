# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a decision at a threshold gets right and wrong, and how sure these numbers are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.metrics.bootstrap import Bootstrap, Counts, bootstrap, count_above
from monai_anomaly.metrics.checked_scores import ScoreTable, check_scores, one_class_reason
from monai_anomaly.metrics.intervals import measure, undefined

__all__ = ["SPECIFICITIES", "operating_points", "roc_band"]

SPECIFICITIES = (0.90, 0.95)
"""Where the sensitivity is read off."""

Floats = npt.NDArray[np.float64]


def operating_points(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: Sequence[str] | None,
    thresholds: Mapping[str, float | None],
    *,
    reasons: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> dict[str, Any]:
    """Sensitivity, false-alarm rate, balanced accuracy and F1 of decisions ``score >= threshold``, with intervals.

    A *measure* is ``{"value": float | None, "interval": [low, high] | None, "reason": str}``: a value of None is
    undefined, and ``reason`` then says why; with a value, ``reason`` is empty unless there is no interval.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``; may hold one class, then what needs the other is undefined.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        thresholds: calibrated thresholds by name; None where the calibration has none.
        reasons: why a threshold is None, by the same names.
        names: names of the images, for error messages only.
        seed: seed of the resampling.
        n_bootstrap: number of resamples; 0 for no intervals.

    Returns:
        Python numbers and texts that JSON can hold.

        - ``thresholds``: by the names given, ``{"threshold": float | None, "reason": str, "false_alarm_rate": measure,
          "sensitivity": measure, "balanced_accuracy": measure, "f1": measure}``.
        - ``oracle_sensitivity_at_specificity``: ``{"0.90": measure, "0.95": measure}``, each with ``threshold``
          (``score >= threshold``; None when even the highest score is a false alarm). An oracle: the threshold is read
          off the test section's own normals (in each resample anew).
        - ``oracle_f1``: measure with ``threshold``: the best F1 over all thresholds. An oracle, too.
        - ``n_normal``, ``n_abnormal``, ``n_groups``, ``n_bootstrap``, ``seed``: integers.

    Raises:
        ValueError: as :func:`monai_anomaly.metrics.checked_scores.check_scores`; for a threshold that is NaN.
    """
    table = check_scores(labels, scores, groups, names)
    for name, threshold in thresholds.items():
        if threshold is not None and np.isnan(threshold):
            raise ValueError(f"The threshold '{name}' is NaN; calibrate anew.")
    known = {name: float(t) for name, t in thresholds.items() if t is not None}
    statistics = bootstrap(table, lambda counts: _statistics(counts, known), seed=seed, n_bootstrap=n_bootstrap)
    curve = count_above(table)
    result: dict[str, Any] = {"thresholds": {}, "oracle_sensitivity_at_specificity": {}}
    for name, given in thresholds.items():
        why = "" if given is not None else (reasons or {}).get(name, "the calibration has no such threshold")
        measures = {
            k: statistics.measure((name, k), of) if given is not None else undefined(why) for k, of in _KEYS.items()
        }
        measures["balanced_accuracy"] = _balanced(measures["false_alarm_rate"], measures["sensitivity"])
        result["thresholds"][name] = {"threshold": known.get(name), "reason": why} | measures
    for s in SPECIFICITIES:
        result["oracle_sensitivity_at_specificity"][f"{s:.2f}"] = _at_specificity(table, curve, s, statistics)
    best = int(np.argmax(np.nan_to_num(_f1(curve)[0], nan=-1.0)))
    result["oracle_f1"] = statistics.measure("oracle_f1") | {"threshold": _plain(curve.thresholds[best])}
    n_abnormal = int(table.positive.sum())
    return result | {
        "n_normal": len(table.positive) - n_abnormal,
        "n_abnormal": n_abnormal,
        "n_groups": statistics.n_groups,
        "n_bootstrap": statistics.n_bootstrap,
        "seed": seed,
    }


def roc_band(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    points: int = 101,
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> dict[str, Any]:
    """Return the ROC curve on a grid of false-alarm rates, with a pointwise 95 % band.

    The curve joins its points by straight lines, so that the area under it is the AUC. The band holds for one
    false-alarm rate at a time, not for the whole curve at once.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        points: size of the grid, from 0 to 1.
        seed: seed of the resampling.
        n_bootstrap: number of resamples.

    Returns:
        ``false_alarm_rate``, ``sensitivity``, ``lower``, ``upper``: float64 arrays ``(points,)``, the last two None
        where there is no band; ``reason``: why a curve (then ``sensitivity`` is None, too) or a band is missing, else
        empty.

    Raises:
        ValueError: as :func:`monai_anomaly.metrics.checked_scores.check_scores`.
    """
    table = check_scores(labels, scores, groups)
    grid = np.linspace(0.0, 1.0, points)
    empty = {"false_alarm_rate": grid, "sensitivity": None, "lower": None, "upper": None}
    if why := one_class_reason(table.positive):
        return empty | {"reason": why}
    statistics = bootstrap(table, lambda counts: {"roc": _roc(counts, grid)}, seed=seed, n_bootstrap=n_bootstrap)
    low, high, why = statistics.interval("roc")
    if not why:  # the curve does not fall: a lower bound holds for what is right of it, an upper one left of it
        low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    return empty | {"sensitivity": statistics.value["roc"], "lower": low, "upper": high, "reason": why}


_KEYS = {"false_alarm_rate": "normal", "sensitivity": "abnormal", "f1": "both"}
"""What is measured of a decision, and on which images."""


def _statistics(counts: Counts, thresholds: Mapping[str, float]) -> dict[Hashable, Floats]:
    """All numbers of R resamples, ``(R,)`` each, NaN where undefined."""
    numbers: dict[Hashable, Floats] = {s: _sensitivity_at(counts, s) for s in SPECIFICITIES}
    f1 = _f1(counts)
    numbers["oracle_f1"] = f1.max(axis=1)
    for name, threshold in thresholds.items():
        k = counts.column(threshold)
        far, hit = counts.false_alarm_rate[:, k], counts.sensitivity[:, k]
        numbers |= {(name, "false_alarm_rate"): far, (name, "sensitivity"): hit}
        numbers[name, "f1"] = f1[:, k]
    return numbers


def _balanced(false_alarms: Mapping[str, Any], sensitivity: Mapping[str, Any]) -> dict[str, Any]:
    """Balanced accuracy, its interval from those of its two rates (Newcombe's 2001 way for the difference of two).

    Resamples of the sum would know of no doubt about a rate of 0 or 1. Patients with images of both classes make it a
    little too wide.
    """
    for rate in (false_alarms, sensitivity):
        if rate["value"] is None:
            return undefined(rate["reason"])
    far, hit = false_alarms["value"], sensitivity["value"]
    value = (1 - far + hit) / 2
    for rate in (false_alarms, sensitivity):
        if rate["interval"] is None:
            return measure(value, None, rate["reason"])
    far_low, far_high = false_alarms["interval"]
    hit_low, hit_high = sensitivity["interval"]
    down, up = np.hypot(hit - hit_low, far_high - far) / 2, np.hypot(hit_high - hit, far - far_low) / 2
    return measure(value, (float(value - down), float(value + up)))


def _f1(counts: Counts) -> Floats:
    """F1 of the abnormal class at each threshold, ``(R, K + 1)``: 0 where nothing is found."""
    total = counts.abnormal[:, -1:] + counts.abnormal + counts.normal
    f1: Floats = 2 * counts.abnormal / np.where(counts.abnormal[:, -1:] > 0, total, np.nan)
    return f1


def _allowed(counts: Counts, specificity: float) -> npt.NDArray[np.intp]:
    """Return the last column with at most ``1 - specificity`` false alarms, ``(R,)``."""
    most = (1 - specificity) * counts.normal[:, -1:] + 1e-9
    return np.asarray((counts.normal <= most).sum(axis=1) - 1)  # the counts do not fall along a row


def _sensitivity_at(counts: Counts, specificity: float) -> Floats:
    return np.take_along_axis(counts.sensitivity, _allowed(counts, specificity)[:, None], axis=1)[:, 0]


def _at_specificity(table: ScoreTable, curve: Counts, specificity: float, statistics: Bootstrap) -> dict[str, Any]:
    """Return the measure, with the threshold on the set itself."""
    fewest = round(1 / (1 - specificity))
    n_normal = int((~table.positive).sum())
    if n_normal < fewest and not one_class_reason(table.positive):
        why = f"{n_normal} normal images: one false alarm is more than {1 - specificity:.0%}; it takes {fewest}"
        return undefined(why) | {"threshold": None}
    threshold = curve.thresholds[_allowed(curve, specificity)[0]]
    sensitivity = statistics.measure(specificity)
    return sensitivity | {"threshold": None if sensitivity["value"] is None else _plain(threshold)}


def _roc(counts: Counts, grid: Floats) -> Floats:
    """Sensitivities at the grid's false-alarm rates, ``(R, P)``; the highest where the curve is upright."""
    rows = zip(counts.false_alarm_rate, counts.sensitivity, strict=True)
    return np.array([np.interp(grid, far, hit) for far, hit in rows]).reshape(-1, len(grid))


def _plain(threshold: float) -> float | None:
    return float(threshold) if np.isfinite(threshold) else None
