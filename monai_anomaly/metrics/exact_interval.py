# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Clopper and Pearson's exact interval of a share of independent cases, and how many cases it takes to show one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

__all__ = ["MOST_CASES", "cases_to_show", "exact_interval", "fewest_cases"]

MOST_CASES = 20_000
"""Larger numbers of cases are not looked at."""

_TAIL = 0.025


def exact_interval(hits: int, cases: int) -> tuple[float, float]:
    """Return the two-sided 95 % interval of a share, which covers the true one at least so often (Clopper, 1934).

    Args:
        hits: cases that count, 0 to `cases`.
        cases: independent cases, at least 1.

    Raises:
        ValueError: for other numbers.

    Example:
        >>> [round(end, 4) for end in exact_interval(0, 20)]
        [0.0, 0.1684]
    """
    if not 0 <= hits <= cases or cases < 1:
        raise ValueError(f"hits must be 0 to cases and cases at least 1, got {hits} of {cases}.")
    low = float(betaincinv(hits, cases - hits + 1, _TAIL)) if hits else 0.0
    return low, (float(_upper(np.array([hits]), np.array([cases]))[0]) if hits < cases else 1.0)


def fewest_cases(most: float) -> int:
    """Return from how many cases on, none of which counts, the interval ends at or below a share.

    Args:
        most: the share, above 0 and below 1.

    Example:
        >>> fewest_cases(0.1), round(exact_interval(0, 35)[1], 4), round(exact_interval(0, 36)[1], 4)
        (36, 0.1, 0.0974)
    """
    return math.ceil(math.log(_TAIL) / math.log1p(-most) - 1e-9)


def cases_to_show(most: float, share: float) -> int | None:
    """Return from how many cases on the interval ends at or below `most` when `share` of them count.

    Args:
        most: the limit, above 0 and below 1.
        share: of the cases; their number is rounded up.

    Returns:
        None when it takes more than :data:`MOST_CASES`, or the share is not below the limit.
    """
    cases = np.arange(1, MOST_CASES + 1)
    hits = np.minimum(np.ceil(share * cases - 1e-9), cases - 1)
    too_wide = np.flatnonzero(_upper(hits, cases) > most)
    first = int(too_wide[-1]) + 2 if len(too_wide) else 1
    return first if first <= MOST_CASES else None


def _upper(hits: npt.NDArray[np.floating | np.integer], cases: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return np.asarray(betaincinv(hits + 1, cases - hits, 1 - _TAIL))
