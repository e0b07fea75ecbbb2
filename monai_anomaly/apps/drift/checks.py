# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Exact comparisons of a period's records with those of a reference, and their limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["Check", "compare_rates", "compare_values", "rate_limits", "uniform_distance", "value_limits"]

Floats = npt.NDArray[np.float64]

_LONGEST_EXACT = 1000
"""Values above which the distribution of the Kolmogorov-Smirnov distance is the asymptotic one."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Args:
        n: values of the period.
        n_reference: values of the reference.
        value: share or median in the period; NaN without values.
        reference: the same of the reference.
        distance: difference of the shares, or Kolmogorov-Smirnov distance.
        p: how often a distance as large comes about without any drift; 1 without values.
    """

    n: int
    n_reference: int
    value: float
    reference: float
    distance: float
    p: float


def compare_rates(period: Floats, reference: Floats) -> Check:
    """Compare two shares by Fisher's exact test, which holds for any numbers.

    Args:
        period: 0 or 1, ``(n,)``.
        reference: 0 or 1, ``(N,)``.
    """
    n, n_reference = len(period), len(reference)
    if not n or not n_reference:
        return _nothing(n, n_reference)
    k, k_reference = int(period.sum()), int(reference.sum())
    share, share_reference = k / n, k_reference / n_reference
    p = _fisher(k, n, k_reference, n_reference)
    return Check(n, n_reference, share, share_reference, share - share_reference, p)


def compare_values(period: Floats, reference: Floats) -> Check:
    """Compare two distributions by the two-sample Kolmogorov-Smirnov test; with ties it alarms less often.

    Args:
        period: ``(n,)``, finite.
        reference: ``(N,)``, finite.
    """
    n, n_reference = len(period), len(reference)
    if not n or not n_reference:
        return _nothing(n, n_reference)
    method = "exact" if max(n, n_reference) <= _LONGEST_EXACT else "asymp"
    found = stats.ks_2samp(period, reference, method=method)
    medians = float(np.median(period)), float(np.median(reference))
    return Check(n, n_reference, *medians, float(found.statistic), float(found.pvalue))


def rate_limits(n: int, reference: Floats, level: float) -> tuple[float, float]:
    """Return the lowest and the highest share of `n` images that is no alarm at a level."""
    k_reference, n_reference = int(reference.sum()), len(reference)
    kept = [k for k in range(n + 1) if _fisher(k, n, k_reference, n_reference) > level]
    return (kept[0] / n, kept[-1] / n) if kept else (0.0, 1.0)


def value_limits(n: int, reference: Floats, level: float) -> tuple[float, float]:
    """Return between which values the median of `n` images has to be: beyond, the distance alone is an alarm.

    Infinite where no median is an alarm by itself.
    """
    size = n * len(reference) / (n + len(reference))
    distance = float(stats.kstwobign.isf(level)) / math.sqrt(size)
    if distance >= 0.5:
        return -math.inf, math.inf
    low, high = np.quantile(reference, [0.5 - distance, 0.5 + distance])
    return float(low), float(high)


def uniform_distance(p_values: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of p-values from the uniform distribution; NaN without any."""
    return float(stats.kstest(p_values, "uniform", method="asymp").statistic) if len(p_values) else math.nan


def _nothing(n: int, n_reference: int) -> Check:
    return Check(n, n_reference, math.nan, math.nan, math.nan, 1.0)


@lru_cache(maxsize=100_000)
def _fisher(k: int, n: int, k_reference: int, n_reference: int) -> float:
    table = [[k, n - k], [k_reference, n_reference - k_reference]]
    return float(stats.fisher_exact(table).pvalue)
