# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a check for drift says: sentences, JSON and a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from monai_anomaly.apps.drift.assessment import LEAST, Assessment, Outcome
from monai_anomaly.apps.drift.checks import rate_limits, value_limits
from monai_anomaly.apps.drift.record_columns import NAMES, NEW_DEVICES, RATES, Columns
from monai_anomaly.report.control_chart import Point, control_chart, distribution_chart
from monai_anomaly.report.page_head import make_head
from monai_anomaly.report.rendering import render

__all__ = ["alarm_sentences", "as_json", "drift_page"]

_SHARES = (*RATES, NEW_DEVICES)
_QUARTERS = (0.25, 0.75)


def alarm_sentences(assessment: Assessment) -> list[str]:
    """Return one sentence for each check that alarms, those of the whole period first."""
    return [_sentence(outcome, assessment) for outcome in assessment.alarms]


def as_json(assessment: Assessment, n_records: int, made: datetime) -> dict[str, Any]:
    """Return all numbers as plain values.

    Args:
        assessment: the checks.
        n_records: records of the period.
        made: when, in UTC.
    """
    period, reference = assessment.uniform
    return {
        "format": "monai_anomaly drift",
        "version": 1,
        "date": f"{made:%Y-%m-%dT%H:%M:%SZ}",
        "alarm": bool(assessment.alarms),
        "alarms": alarm_sentences(assessment),
        "false_alarms": assessment.false_alarms,
        "n_records": n_records,
        "n_patients": len(assessment.period),
        "n_reference_patients": len(assessment.reference),
        "not_compared": assessment.not_compared,
        "distance_from_uniform": {"period": _plain(period), "reference": _plain(reference)},
        "period": {name: _outcome(outcome) for name, outcome in assessment.whole.items()},
        "windows": {name: [_outcome(o) for o in windows] for name, windows in assessment.windows.items()},
        "devices": [_outcome(outcome) for outcome in assessment.devices],
    }


def drift_page(assessment: Assessment, n_records: int, made: datetime, details: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        assessment: the checks.
        n_records: records of the period.
        made: when, in UTC.
        details: what a reader must know of the run, as a table.
    """
    return render(
        "drift.html.jinja",
        head=make_head("Drift", made),
        sentences=alarm_sentences(assessment),
        n_checks=sum(1 for _ in assessment.outcomes),
        n_records=n_records,
        n_period=len(assessment.period),
        n_reference=len(assessment.reference),
        false_alarms=assessment.false_alarms,
        rows=[_row(outcome) for outcome in assessment.whole.values()],
        not_compared=[NAMES[name] for name in assessment.not_compared],
        charts=[(NAMES[name], _chart(name, assessment)) for name in assessment.whole],
        uniform=_uniform(assessment),
        devices=list(_devices(assessment)),
        least=LEAST,
        details=list(details.items()),
    )


def _sentence(outcome: Outcome, assessment: Assessment) -> str:
    check = outcome.check
    where = (
        f"device {outcome.device}"
        if outcome.device
        else "whole period"
        if outcome.last - outcome.first + 1 == len(assessment.period)
        else f"patients {outcome.first} to {outcome.last}"
    )
    kind = "" if outcome.statistic in _SHARES else "median "
    value, before = _written(outcome.statistic, check.value), _written(outcome.statistic, check.reference)
    distance = "" if outcome.statistic in _SHARES else f", distance {check.distance:.2f}"
    return f"{NAMES[outcome.statistic]}, {where}: {kind}{value}, reference {before}{distance}, p {check.p:.1e}"


def _written(name: str, value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"{100 * value:.1f} %" if name in _SHARES else f"{value:.3g}"


def _row(outcome: Outcome) -> dict[str, Any]:
    check = outcome.check
    return {
        "name": NAMES[outcome.statistic],
        "value": _written(outcome.statistic, check.value),
        "reference": _written(outcome.statistic, check.reference),
        "n": check.n,
        "n_reference": check.n_reference,
        "distance": f"{check.distance:.2f}",
        "p": f"{check.p:.2g}",
        "level": f"{outcome.level:.1e}",
        "alarms": outcome.alarms,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: _plain(value) for name, value in asdict(outcome.check).items()}
    place = {"first": outcome.first, "last": outcome.last, "device": outcome.device or None}
    return {"statistic": outcome.statistic, **place, **numbers, "level": outcome.level, "alarm": outcome.alarms}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _chart(name: str, assessment: Assessment) -> Markup:
    before = assessment.whole[name].check.reference
    percent = name in _SHARES
    usual = None if percent else _quarters(assessment.reference, name)
    points = [_point(name, outcome, assessment) for outcome in assessment.windows[name]]
    return control_chart(NAMES[name], points, before, usual, percent=percent)


def _point(name: str, outcome: Outcome, assessment: Assessment) -> Point:
    check = outcome.check
    low, high, spread = -math.inf, math.inf, None
    if name in RATES:
        low, high = rate_limits(check.n, assessment.reference.known(name), outcome.level) if check.n else (low, high)
        low, high = (low if low > 0 else -math.inf), (high if high < 1 else math.inf)
    elif name != NEW_DEVICES and check.n:
        low, high = value_limits(check.n, assessment.reference.known(name), outcome.level)
        spread = _quarters(assessment.period.take(slice(outcome.first - 1, outcome.last)), name)
    return Point(outcome.first, outcome.last, check.value, low, high, spread, outcome.alarms)


def _quarters(columns: Columns, name: str) -> tuple[float, float]:
    low, high = np.quantile(columns.known(name), _QUARTERS)
    return float(low), float(high)


def _uniform(assessment: Assessment) -> dict[str, Any] | None:
    period, reference = assessment.period.known("p_value"), assessment.reference.known("p_value")
    if not len(period) or not len(reference):
        return None
    distances = [f"{value:.2f}" for value in assessment.uniform]
    chart = distribution_chart("p-value", period, reference)
    return {"chart": chart, "period": distances[0], "reference": distances[1]}


def _devices(assessment: Assessment) -> Iterable[dict[str, Any]]:
    period, reference = assessment.period, assessment.reference
    for device in np.unique(period.devices[period.devices != ""]).tolist():
        mine, before = period.take(period.devices == device), reference.take(reference.devices == device)
        drifts = [NAMES[o.statistic].lower() for o in assessment.devices if o.device == device and o.alarms]
        yield {
            "device": device,
            "n": len(mine),
            "n_reference": len(before),
            "alarms": _mean(mine, "alarms"),
            "refusals": _mean(mine, "refusals"),
            "gray_mean": _median(mine, "gray_mean"),
            "before": _median(before, "gray_mean"),
            "drifts": ", ".join(drifts),
        }


def _mean(columns: Columns, name: str) -> str:
    values = columns.known(name)
    return _written(name, float(values.mean()) if len(values) else math.nan)


def _median(columns: Columns, name: str) -> str:
    values = columns.known(name)
    return _written(name, float(np.median(values)) if len(values) else math.nan)
