# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation in a few lines, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai_anomaly.utils.printable import printable

__all__ = ["calibration_lines", "result_lines"]


def result_lines(numbers: Mapping[str, Any]) -> list[str]:
    """Return what the person at the terminal waits for.

    Args:
        numbers: see :func:`monai_anomaly.report.evaluation_numbers.evaluation_numbers`, with ``rejected`` and
            ``warnings``.
    """
    interval, guard = numbers["auroc_interval"], numbers["guard"]
    between = f"  (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else "  (no interval)"
    by_chance = numbers["n_abnormal"] / max(1, numbers["n_normal"] + numbers["n_abnormal"])
    lines = [
        f"ROC AUC            {numbers['auroc']:.3f}{between}",
        f"average precision  {numbers['average_precision']:.3f}  (guessing {by_chance:.3f})",
        f"images             {numbers['n_normal']} normal, {numbers['n_abnormal']} abnormal",
        f"groups (patients)  {numbers['n_groups']}",
        f"called anomalous   {_decided(numbers)}",
    ]
    if guard is not None:
        lines.append(f"guard refused      {guard['n_refused_normal']} normal, {guard['n_refused_abnormal']} abnormal")
    lines += [f"not scored         {len(numbers['rejected'])}"] if numbers["rejected"] else []
    for said in numbers.get("warnings", ()):  # of the reader; a results folder of before has none
        lines.append(f"read with warning  {said['times']}: {said['text']} (first: {printable(said['first'])})")
    return lines


def calibration_lines(command: str) -> list[str]:
    """Return what adds decisions to scores.

    Args:
        command: makes the calibration.
    """
    return ["Next, for p-values and decisions, calibrate with held-out normals and evaluate again", f"  {command}"]


def _decided(numbers: Mapping[str, Any]) -> str:
    """Return what was decided, or why nothing was."""
    if numbers["calibration"] is None:
        return "none: no calibration (run calibrate makes one from held-out normals)"
    rate = numbers["false_alarm_rate"]
    point = numbers["operating_points"]["thresholds"][f"{rate:g}"]
    if point["threshold"] is None:
        return f"none at a false-alarm rate of {100 * rate:g} %: {point['reason']}"
    false_alarms, hits = (numbers["decisions"][name]["anomalous"] for name in ("normal", "abnormal"))
    return f"{false_alarms} normal, {hits} abnormal (false-alarm rate {100 * rate:g} %)"
