# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""All numbers of one evaluation, from its scored images: what ``metrics.json`` holds and the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from monai_anomaly.calibration.calibration import RATES, Calibration
from monai_anomaly.calibration.conformal import patients_needed
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.metrics.operating_points import operating_points
from monai_anomaly.metrics.pixel_level import pixel_level
from monai_anomaly.metrics.subgroups import subgroup_metrics
from monai_anomaly.report.map_collector import MapCollector

__all__ = ["Case", "Rules", "evaluation_numbers"]


class Case(NamedTuple):
    """One scored image or study; the fields are the columns of ``scores.csv`` after the first."""

    name: str
    label: int
    score: float
    group: str
    frames: int
    frame: int | None
    p_value: float | None
    decision: str
    decision_reason: str


@dataclass(frozen=True)
class Rules:
    """What the numbers are made by.

    Args:
        calibration: thresholds and p-values; None without.
        false_alarm_rate: the rate that decisions are made at.
        guarded: whether an input guard looked at the images.
        seed: seed of the bootstraps.
        n_bootstrap: resamples behind each interval.
    """

    calibration: Calibration | None
    false_alarm_rate: float
    guarded: bool
    seed: int
    n_bootstrap: int

    @property
    def bootstrap(self) -> dict[str, Any]:
        """The arguments that every interval shares."""
        return {"seed": self.seed, "n_bootstrap": self.n_bootstrap}


def evaluation_numbers(
    cases: Sequence[Case], rules: Rules, *, maps: MapCollector, columns: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """Everything that is measured; JSON can hold it.

    Args:
        cases: the scored images, in order.
        rules: what the numbers are made by.
        maps: maps and masks of the images that have a mask.
        columns: values of each case by the name of a column, for subgroups.

    Returns:
        what :func:`~monai_anomaly.metrics.image_level.image_level_metrics` gives, and

        - ``chance``: what guessing gives: ``auroc``, ``average_precision`` (the share of abnormal images) and
          ``best_f1`` (that of calling every image abnormal).
        - ``operating_points``: see :func:`~monai_anomaly.metrics.operating_points.operating_points`; thresholds are
          named by their false-alarm rates.
        - ``false_alarm_rate`` and ``decisions``: by class (``normal``, ``abnormal``), the number of each decision.
        - ``calibration``: which one it is, or None.
        - ``guard``: ``n_refused_normal``, ``n_refused_abnormal``, ``refused`` (``image``, ``label``, ``reason``) and
          ``without_refused`` (image-level metrics of the others, or a ``reason``); None without a guard.
        - ``pixel_level``: see :func:`~monai_anomaly.metrics.pixel_level.pixel_level`; or a ``reason`` why not.
        - ``subgroups``: see :func:`~monai_anomaly.metrics.subgroups.subgroup_metrics`.

    Raises:
        ValueError: where nothing can be said: one class only, equal scores, a score that is not finite.
    """
    labels, scores, groups = _columns(cases)
    names = [case.name for case in cases]
    numbers = image_level_metrics(labels, scores, groups, names=names, **rules.bootstrap)
    thresholds, reasons = _thresholds(rules)
    return numbers | {
        "chance": _chance(numbers),
        "operating_points": operating_points(
            labels, scores, groups, thresholds, reasons=reasons, names=names, **rules.bootstrap
        ),
        "false_alarm_rate": rules.false_alarm_rate,
        "decisions": _count_decisions(cases),
        "calibration": None if rules.calibration is None else _identity(rules.calibration),
        "guard": _guard(cases, rules, numbers) if rules.guarded else None,
        "pixel_level": _pixel_level(maps, thresholds.get(f"{rules.false_alarm_rate:g}"), rules),
        "subgroups": subgroup_metrics(labels, scores, groups, columns, **rules.bootstrap) if columns else {},
    }


def _chance(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Return what scores that know nothing would give."""
    share = numbers["n_abnormal"] / (numbers["n_normal"] + numbers["n_abnormal"])
    return {"auroc": 0.5, "average_precision": share, "best_f1": 2 * share / (1 + share)}


def _columns(cases: Sequence[Case]) -> tuple[list[int], list[float], list[str]]:
    return [case.label for case in cases], [case.score for case in cases], [case.group for case in cases]


def _thresholds(rules: Rules) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the thresholds of the usual rates and the chosen one by name, and why one is missing."""
    calibration = rules.calibration
    if calibration is None:
        return {}, {}
    rates = sorted({*RATES, rules.false_alarm_rate})
    thresholds = {f"{rate:g}": calibration.threshold(rate) for rate in rates}
    reasons = {
        f"{rate:g}": f"it takes normals of {patients_needed(rate)} patients; here are {calibration.n_patients}"
        for rate in rates
    }
    return thresholds, {name: reason for name, reason in reasons.items() if thresholds[name] is None}


def _count_decisions(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    kinds = ("normal", "anomalous", "not_applicable", "uncalibrated")
    return {
        name: {kind: sum(case.label == label and case.decision == kind for case in cases) for kind in kinds}
        for label, name in enumerate(("normal", "abnormal"))
    }


def _identity(calibration: Calibration) -> dict[str, Any]:
    """Return what tells this calibration from another one; its scores stay in its own file."""
    return {
        "date": calibration.date,
        "n_images": calibration.n_images,
        "n_patients": calibration.n_patients,
        "frames": calibration.frames,
        "aggregate": calibration.aggregate,
        "model_hash": calibration.model_hash,
        "spec_hash": calibration.spec_hash,
        "data_hash": calibration.data_hash,
        "versions": dict(calibration.versions),
    }


def _guard(cases: Sequence[Case], rules: Rules, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was refused, and the image-level metrics without it."""
    refused = [case for case in cases if case.decision == "not_applicable"]
    rest = [case for case in cases if case.decision != "not_applicable"]
    without: dict[str, Any]
    if not refused:
        without = {"auroc": numbers["auroc"], "auroc_interval": numbers["auroc_interval"], "reason": ""}
    else:
        try:
            labels, scores, groups = _columns(rest)
            metrics = image_level_metrics(labels, scores, groups, **rules.bootstrap)
            without = {key: metrics[key] for key in ("auroc", "auroc_interval", "n_normal", "n_abnormal")} | {
                "reason": ""
            }
        except ValueError:  # what is left may hold one class, or nothing
            left = [sum(case.label == label for case in rest) for label in (0, 1)]
            without = {"auroc": None, "auroc_interval": None}
            without["reason"] = f"{left[0]} normal and {left[1]} abnormal images are left"
    return {
        "n_refused_normal": sum(case.label == 0 for case in refused),
        "n_refused_abnormal": sum(case.label == 1 for case in refused),
        "refused": [{"image": case.name, "label": case.label, "reason": case.decision_reason} for case in refused],
        "without_refused": without,
    }


def _pixel_level(maps: MapCollector, threshold: float | None, rules: Rules) -> dict[str, Any]:
    """Pixel metrics, with the image threshold for pixels too: map and score are on one scale."""
    if maps.reason:
        return {"reason": maps.reason}
    metrics = pixel_level(
        np.stack(maps.maps), np.stack(maps.masks), threshold=threshold, groups=maps.groups, **rules.bootstrap
    )
    return metrics | {"reason": ""}
