# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How numbers, limits and verdicts of an acceptance test are written, on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["VERDICTS", "interval_words", "limit_words", "value_words"]

NOTHING = "-"
"""Stands for a value that is not there."""

VERDICTS = {"passed": "passed", "failed": "FAILED", "not_checked": "not checked", "no_limit": "no limit"}


def value_words(criterion: Mapping[str, Any]) -> str:
    """Return a criterion's value with its unit, and of a share the counts."""
    value = criterion["value"]
    if value is None:
        return NOTHING
    words = _number(value, criterion["unit"])
    if criterion["hits"] is not None:
        words += f" ({criterion['hits']} of {criterion['images']})"
    return words


def interval_words(criterion: Mapping[str, Any]) -> str:
    """Return the 95 % interval; empty without one."""
    if criterion["interval"] is None:
        return ""
    low, high = (_number(end, criterion["unit"]) for end in criterion["interval"])
    return f"{low.removesuffix(' %')} to {high}"


def limit_words(criterion: Mapping[str, Any]) -> str:
    """Return the limit, and which number has to keep it; empty without one."""
    limit = criterion["limit"]
    if limit is None:
        return ""
    if "required" in limit:
        return "required"
    sense = "most" if "most" in limit else "least"
    words = f"at {sense} {_number(limit[sense], criterion['unit'])}"
    return f"{words}, by the interval's end" if limit["by"] == "bound" else words


def _number(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "auc":
        return f"{value:.3f}"
    if unit == "yes":
        return "yes" if value else "no"
    words = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return words if unit in ("number", "spreads") else f"{words} {unit}"
