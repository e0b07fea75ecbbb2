# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What a report says of decisions: calibrated thresholds, oracles beside them, and what the input guard refused."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from monai_anomaly.report.tables import estimate, facts_table, grid_table

__all__ = ["decisions_section", "guard_section"]

_SHOWN = 20
"""Refused images on the page."""

_ORACLE = (
    "An <b>oracle</b> looked at this test section to choose its threshold. It says what the scores could do with the "
    "best threshold, and is no result that a user would have had: nobody knows the labels of new images."
)


def decisions_section(numbers: Mapping[str, Any]) -> str:
    """Return the operating points, calibrated and oracle, and what the calibration rests on.

    Args:
        numbers: see :func:`monai_anomaly.report.evaluation_numbers.evaluation_numbers`.
    """
    points, calibration = numbers["operating_points"], numbers["calibration"]
    parts = ["<h2>Decisions</h2>"]
    if calibration is None:
        parts.append(
            "<p>There is no calibration of this detector, so that no image was called normal or anomalous. "
            "<code>run calibrate</code> makes one from held-out normals.</p>"
        )
    else:
        parts += [f"<p>{_chosen(numbers)}</p>", _calibrated_table(points["thresholds"]), _basis(calibration)]
    parts += [_oracle_table(points), f'<p class="quiet">{_ORACLE}</p>']
    return "\n".join(parts)


def guard_section(numbers: Mapping[str, Any]) -> str:
    """Which images the input guard refused, and what that means for the numbers."""
    guard = numbers["guard"]
    if guard is None:
        return (
            "<h2>Input guard</h2>\n<p>There is none in this checkpoint: images of a kind that the detector was never "
            "shown are scored like any other.</p>"
        )
    n_normal, n_abnormal = guard["n_refused_normal"], guard["n_refused_abnormal"]
    total = f"{n_normal} of {numbers['n_normal']} normal and {n_abnormal} of {numbers['n_abnormal']} abnormal images"
    text = (
        f"<p>The input guard compares an image with the training normals before its score is believed. It refused "
        f"{total}: their decision is &#8220;not applicable&#8221;."
    )
    if not guard["refused"]:
        return f"<h2>Input guard</h2>\n{text}</p>"
    rest = guard["without_refused"]
    if rest.get("reason"):
        without = f"Without them it is undefined: {escape(rest['reason'])}."
    else:
        interval = rest["auroc_interval"]
        between = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
        without = f"Without them it is {rest['auroc']:.3f}{between}."
    text += " A refused image is for a person to look at; here it counts by its score in every other number. "
    text += f"The ROC AUC with them is {numbers['auroc']:.3f}. {without}</p>"
    rows = [(f"{one['image']} ({('normal', 'abnormal')[one['label']]})", one["reason"]) for one in guard["refused"]]
    more = f"<p>And {len(rows) - _SHOWN} more; scores.csv has all.</p>" if len(rows) > _SHOWN else ""
    return f"<h2>Input guard</h2>\n{text}\n{facts_table(rows[:_SHOWN])}{more}"


def _chosen(numbers: Mapping[str, Any]) -> str:
    """Return what the chosen false-alarm rate did here, in plain words."""
    alpha, counts = numbers["false_alarm_rate"], numbers["decisions"]
    point = numbers["operating_points"]["thresholds"][f"{alpha:g}"]
    if point["threshold"] is None:
        return f"At the chosen false-alarm rate of {100 * alpha:g} % there is no decision: {escape(point['reason'])}"
    missed, found = counts["abnormal"]["normal"], counts["abnormal"]["anomalous"]
    false, right = counts["normal"]["anomalous"], counts["normal"]["normal"]
    refused = counts["normal"]["not_applicable"] + counts["abnormal"]["not_applicable"]
    aside = f" The input guard left {refused} without a decision; the table counts their scores." if refused else ""
    return (
        f"An image with a score of at least {point['threshold']:#.4g} is called anomalous: the threshold for a "
        f"false-alarm rate of at most <b>{100 * alpha:g} %</b>. Of the normal images of this section {false} were "
        f"called anomalous and {right} normal; of the abnormal ones {found} were called anomalous and "
        f"<b>{missed} were missed</b>.{aside}"
    )


def _calibrated_table(thresholds: Mapping[str, Mapping[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = []
    for name, point in thresholds.items():
        promised = f"at most {100 * float(name):g}&nbsp;%"
        if point["threshold"] is None:
            why = f'none<small class="why">{escape(point["reason"])}</small>'
            rows.append((promised, why, "&#8211;", "&#8211;", "&#8211;", "&#8211;"))
            continue
        cells = [estimate(point[key], percent=True) for key in ("false_alarm_rate", "sensitivity")]
        cells += [estimate(point[key]) for key in ("balanced_accuracy", "f1")]
        rows.append((promised, f"{point['threshold']:#.4g}", *cells))
    header = ("False alarms promised", "Threshold", "False alarms here", "Sensitivity", "Balanced accuracy", "F1")
    return grid_table("Thresholds calibrated on normals alone; small: 95 % intervals.", header, rows)


def _basis(calibration: Mapping[str, Any]) -> str:
    return (
        f'<p class="quiet">The calibration rests on {calibration["n_images"]} normal images of '
        f"{calibration['n_patients']} patients, made {escape(str(calibration['date'])) or 'at an unknown date'}. "
        "The promise holds on average over new normal patients like those; in one section the rate may be above it by "
        "chance, and with another machine or population it holds no more.</p>"
    )


def _oracle_table(points: Mapping[str, Any]) -> str:
    rows = [
        (f"Sensitivity at {100 * float(name):g} % specificity", _threshold(found), estimate(found, percent=True))
        for name, found in points["oracle_sensitivity_at_specificity"].items()
    ]
    best = points["oracle_f1"]
    rows.append(("Best F1", _threshold(best), estimate(best)))
    return grid_table("Oracle: thresholds read off this test section.", ("Oracle", "Threshold", "Value"), rows)


def _threshold(found: Mapping[str, Any]) -> str:
    return "&#8211;" if found.get("threshold") is None else f"{found['threshold']:#.4g}"
