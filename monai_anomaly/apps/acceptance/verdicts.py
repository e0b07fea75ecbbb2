# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which limits were kept; what could not be shown is never kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monai_anomaly.apps.acceptance.criteria import CRITERIA, Criterion
from monai_anomaly.apps.acceptance.limits import Limit
from monai_anomaly.apps.acceptance.measures import Measured
from monai_anomaly.metrics.exact_interval import MOST_CASES, cases_to_show, fewest_cases

__all__ = ["Verdict", "judge", "judge_all"]


@dataclass(frozen=True)
class Verdict:
    """What is said of one criterion.

    Args:
        verdict: ``"passed"``, ``"failed"``, ``"not_checked"`` or ``"no_limit"``.
        reason: why, one sentence; empty where the numbers say it.
    """

    verdict: str
    reason: str = ""


def judge_all(verdicts: Iterable[Verdict]) -> str:
    """Return what is said of the whole test: ``"passed"``, ``"failed"`` or ``"incomplete"``."""
    found = {verdict.verdict for verdict in verdicts}
    return "failed" if "failed" in found else "passed" if found <= {"passed", "no_limit"} else "incomplete"


def judge(name: str, measured: Measured, limit: Limit | None) -> Verdict:
    """Say whether a limit is kept.

    Args:
        name: of the criterion.
        measured: what was measured.
        limit: None where none is set.
    """
    criterion = CRITERIA[name]
    if measured.value is None:
        return Verdict("no_limit" if limit is None else "not_checked", _sentence(measured.reason))
    if limit is None:
        return Verdict("no_limit")
    if not _keeps(criterion, measured.value, limit):
        return Verdict("failed")
    if measured.interval is None:
        missing = limit.by == "bound"
        return Verdict("not_checked", _sentence(measured.reason)) if missing else Verdict("passed")
    if _keeps(criterion, measured.interval[1 if criterion.sense == "most" else 0], limit):
        return Verdict("passed")
    if limit.by == "value":
        return Verdict("passed", "The interval does not keep the limit, and the limit is on the value.")
    return _too_wide(criterion, measured, limit)


def _keeps(criterion: Criterion, value: float, limit: Limit) -> bool:
    return value <= limit.bound if criterion.sense == "most" else value >= limit.bound


def _too_wide(criterion: Criterion, measured: Measured, limit: Limit) -> Verdict:
    """Say what to do where the value keeps a limit and the end of its interval does not."""
    if measured.hits is None or measured.value is None:
        return Verdict("failed", "The value keeps the limit, the end of the interval does not; it takes more images.")
    falls = criterion.sense == "most"
    most, share = (limit.bound, measured.value) if falls else (1 - limit.bound, 1 - measured.value)
    fewest, needed = fewest_cases(most), cases_to_show(most, share)
    enough = f"at the measured rate {needed:,} would" if needed else f"even {MOST_CASES:,} would not at this rate"
    if measured.patients < fewest:
        best = "without one that counts" if falls else "if all of them count"
        return Verdict(
            "not_checked",
            f"{measured.patients} patients are too few to show this limit, even {best}; it takes {fewest} ({enough}).",
        )
    return Verdict(
        "failed",
        f"The value keeps the limit, the end of the interval does not; {measured.patients} patients do not show it, "
        f"{enough}.",
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
