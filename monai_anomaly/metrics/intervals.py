# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a number and its resamples to a 95 % interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit

__all__ = ["MODEL_CASES", "interval", "measure", "undefined"]

Floats = npt.NDArray[np.float64]
MODEL_CASES = 2
"""Weight of a model's variance beside that of the resamples; by simulation, see the coverage in the tests."""

_NORMAL_QUANTILE = 1.959964


def measure(value: float, interval: tuple[float, float] | None, reason: str = "") -> dict[str, Any]:
    """Return a number as all metrics give it: ``value``, ``interval`` (``[low, high]`` or None) and ``reason``.

    ``reason`` is empty unless the interval is None, and says why.
    """
    return {"value": float(value), "interval": None if interval is None else list(interval), "reason": reason}


def undefined(reason: str) -> dict[str, Any]:
    """Return what stands for a number that is not defined: ``value`` and ``interval`` None, and the ``reason``."""
    return {"value": None, "interval": None, "reason": reason}


def interval(
    value: npt.ArrayLike, resampled: Floats, *, cases: int, effective: float, variance: float | None = None
) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a number between 0 and 1, such as an AUC or a rate.

    The bootstrap's standard error is taken to the scale of the logit, with Student's quantile for ``cases - 1`` degrees
    of freedom. Percentiles of the resamples are too narrow near 1 and with few cases: on normal scores with a true AUC
    of .97 and 20 + 20 images they covered it in 87 of 100 repetitions. A value of 0 or 1 has no logit, and
    resamples may know no other value; there, the interval is Wilson's for `effective` cases, widened to the
    percentiles.

    Args:
        value: the number, ``()`` or ``(P,)``.
        resampled: its resamples, ``(R,)`` or ``(R, P)`` with R > 0.
        cases: independent cases behind it (of the rarer class), 2 or more.
        effective: cases that Wilson's interval counts.
        variance: of the number under a model; it counts as much as :data:`MODEL_CASES` cases, since a few cases that
            happen to score alike make resamples that vary too little.

    Returns:
        low and high end, of the shape of `value`.
    """
    v = np.asarray(value, dtype=np.float64)
    error = resampled.std(axis=0)
    if variance is not None:
        error = np.sqrt((cases * error**2 + MODEL_CASES * variance) / (cases + MODEL_CASES))
    usual = (v > 0) & (v < 1) & (error > 1e-12)
    p = np.where(usual, v, 0.5)
    half = stdtrit(cases - 1, 0.975) * error / (p * (1 - p))
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    wilson_low, wilson_high = _wilson(v, effective)
    return (
        np.where(usual, expit(logit(p) - half), np.minimum(low, wilson_low)),
        np.where(usual, expit(logit(p) + half), np.maximum(high, wilson_high)),
    )


def _wilson(share: Floats, count: float) -> tuple[Floats, Floats]:
    """Wilson's interval of a share of `count` independent cases."""
    z2 = _NORMAL_QUANTILE**2 / count
    center, half = (share + z2 / 2) / (1 + z2), np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)
