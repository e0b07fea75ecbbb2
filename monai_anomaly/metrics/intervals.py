# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""From a number and its resamples to a 95 % interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit

__all__ = ["interval", "measure", "undefined"]

Floats = npt.NDArray[np.float64]
_NORMAL_QUANTILE = 1.959964


def measure(value: float, interval: tuple[float, float] | None, reason: str = "") -> dict[str, Any]:
    """A number as all metrics give it: ``value``, ``interval`` (``[low, high]`` or None) and ``reason``.

    ``reason`` is empty unless the interval is None, and says why.
    """
    return {"value": float(value), "interval": None if interval is None else list(interval), "reason": reason}


def undefined(reason: str) -> dict[str, Any]:
    """What stands for a number that is not defined: ``value`` and ``interval`` None, and the ``reason``."""
    return {"value": None, "interval": None, "reason": reason}


def interval(value: npt.ArrayLike, resampled: Floats, *, cases: int, effective: float) -> tuple[Floats, Floats]:
    """The 95 % interval of a number between 0 and 1, such as an AUC or a rate.

    The bootstrap's standard error is taken to the scale of the logit, with Student's quantile for ``cases - 1`` degrees
    of freedom. Percentiles of the resamples are too narrow near 1 and with few cases: on normal scores with a true AUC
    of .97 and 20 + 20 images they covered it in 87 of 100 repetitions. A value of 0 or 1 has no logit, and its
    resamples may know no other value; there, the interval is Wilson's for `effective` cases, widened to the
    percentiles.

    Args:
        value: the number, ``()`` or ``(P,)``.
        resampled: its resamples, ``(R,)`` or ``(R, P)`` with R > 0.
        cases: independent cases behind it (of the rarer class), 2 or more.
        effective: cases that Wilson's interval counts at a value of 0 or 1.

    Returns:
        low and high end, of the shape of `value`.
    """
    v = np.asarray(value, dtype=np.float64)
    inside = (v > 0) & (v < 1)
    p = np.where(inside, v, 0.5)
    half = stdtrit(cases - 1, 0.975) * resampled.std(axis=0) / (p * (1 - p))
    wilson = _NORMAL_QUANTILE**2 / (effective + _NORMAL_QUANTILE**2)  # the interval's length at 0 and at 1
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    return (
        np.where(inside, expit(logit(p) - half), np.minimum(low, np.where(v > 0.5, 1 - wilson, 0.0))),
        np.where(inside, expit(logit(p) + half), np.maximum(high, np.where(v > 0.5, 1.0, wilson))),
    )
