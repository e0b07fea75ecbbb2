# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the scores of several frames of a cine make together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

__all__ = ["aggregate", "check_aggregate"]

QUANTILE = re.compile(r"quantile:(0?\.\d+|0|1|1\.0*|0\.0*)")


def check_aggregate(rule: str) -> str:
    """Return the name of an aggregation unchanged.

    Args:
        rule: ``"max"``, ``"mean"`` or ``"quantile:Q"`` with Q from 0 to 1.

    Raises:
        ValueError: for any other text.
    """
    if not isinstance(rule, str) or not (rule in ("max", "mean") or QUANTILE.fullmatch(rule)):
        raise ValueError(f'aggregate must be "max", "mean" or "quantile:Q" with Q from 0 to 1, got {rule!r}.')
    return rule


def aggregate(scores: Sequence[float], rule: str) -> float:
    """Return a study's score from those of its frames; the score itself where there is one.

    Args:
        scores: finite, at least one.
        rule: as in :func:`check_aggregate`; quantiles are interpolated linearly, as in NumPy.

    Raises:
        ValueError: for an unknown rule or no scores.
    """
    check_aggregate(rule)
    if len(scores) == 0:
        raise ValueError("aggregate needs at least one score.")
    if rule == "max":
        return float(np.max(scores))
    if rule == "mean":
        return float(np.mean(scores))
    return float(np.quantile(np.asarray(scores, np.float64), float(rule.split(":")[1])))
