# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Conformal p-values and thresholds from the scores of normals, with patients as the unit.

For K normal patients with n_k images each, the p-value of a score s is

    p(s) = (1 + sum_k #{i: s_ki >= s} / n_k) / (K + 1)

If the image is normal, of a new patient, and patients are exchangeable (images within a patient too), then
P(p <= alpha) <= alpha for every alpha, whatever the scores are: hierarchical conformal prediction (Lee, Barber and
Willett, Distribution-free inference with hierarchical data, 2023). With one image for each patient it is the usual
conformal p-value. Ties are taken for the higher p-value.

Libraries of conformal prediction calibrate predictors with labels and know no patients, hence these few lines.
"""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import numpy.typing as npt

__all__ = [
    "check_rate",
    "conformal_p_values",
    "conformal_threshold",
    "left_out_p_values",
    "p_value_steps",
    "patients_needed",
    "smallest_rate",
    "step_threshold",
]

Floats = npt.NDArray[np.float64]


def conformal_p_values(
    scores: npt.ArrayLike, normal_scores: npt.ArrayLike, groups: npt.ArrayLike | None = None
) -> Floats:
    """Return the conformal p-values of scores, ``(M,)`` float64 in (0, 1].

    Args:
        scores: ``(M,)``, finite.
        normal_scores: ``(N,)``, finite, of held-out normals; N >= 1.
        groups: ``(N,)``, what stands for the patient of each; None takes every image for a patient.

    Raises:
        ValueError: when a score is not finite, nothing is there to compare with, or lengths differ.

    Example:
        >>> conformal_p_values([0.0, 2.0, 9.0], [1.0, 2.0, 3.0])
        array([1.  , 0.75, 0.25])
    """
    values, p_values = p_value_steps(normal_scores, groups)
    return np.asarray(p_values[np.searchsorted(values, _finite(scores, "scores"), side="left")])


def conformal_threshold(
    alpha: float, normal_scores: npt.ArrayLike, groups: npt.ArrayLike | None = None
) -> float | None:
    """Return the threshold t for which ``score >= t`` and ``p(score) <= alpha`` are the same for every score.

    It is the float next to a score of the normals, as the set of such scores is open at its lower end.

    Args:
        alpha: false-alarm rate, in (0, 1).
        normal_scores: as in :func:`conformal_p_values`.
        groups: as in :func:`conformal_p_values`.

    Returns:
        None where no score can have such a p-value: there are fewer than 1/alpha - 1 patients.

    Raises:
        ValueError: as in :func:`conformal_p_values`, and for alpha out of its range.

    Example:
        >>> conformal_threshold(0.25, [1.0, 2.0, 3.0]), conformal_threshold(0.2, [1.0, 2.0, 3.0])
        (3.0000000000000004, None)
    """
    return step_threshold(alpha, *p_value_steps(normal_scores, groups))


def left_out_p_values(scores: npt.ArrayLike, groups: npt.ArrayLike) -> Floats:
    """Return the p-value of each normal by the normals of all other patients, ``(N,)`` float64 in (0, 1].

    Args:
        scores: ``(N,)``, finite.
        groups: ``(N,)``, the patient of each; two patients at least.

    Raises:
        ValueError: as in :func:`conformal_p_values`.

    Example:
        >>> left_out_p_values([1.0, 2.0, 3.0], ["a", "b", "c"])
        array([1.        , 0.66666667, 0.33333333])
    """
    values, owners = _finite(scores, "scores"), np.unique(np.asarray(groups), return_inverse=True)[1]
    n_patients = int(owners.max()) + 1
    as_high = conformal_p_values(values, values, owners) * (n_patients + 1) - 1  # the sum over all patients
    own = np.empty_like(values)
    for patient in range(n_patients):
        mine = np.flatnonzero(owners == patient)
        rising = np.sort(values[mine])
        own[mine] = (len(mine) - np.searchsorted(rising, values[mine], side="left")) / len(mine)
    return np.asarray((1 + as_high - own) / n_patients)


def step_threshold(alpha: float, values: Floats, p_values: Floats) -> float | None:
    """Return :func:`conformal_threshold` from the result of :func:`p_value_steps`."""
    check_rate(alpha)
    above = int(np.count_nonzero(p_values > alpha))  # p-values fall, and the first one is 1
    return None if above > len(values) else float(np.nextafter(values[above - 1], np.inf))


def p_value_steps(normal_scores: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Return the p-value as a function of the score: the steps and the p-value up to and with each.

    Args:
        normal_scores: as in :func:`conformal_p_values`.
        groups: as in :func:`conformal_p_values`.

    Returns:
        the rising different scores ``(V,)``, and ``(V + 1,)`` falling p-values: the first up to the first score, the
        last beyond all.
    """
    scores = _finite(normal_scores, "normal_scores")
    if not len(scores):
        raise ValueError("normal_scores must not be empty; score at least one normal.")
    owners = np.arange(len(scores)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if owners.shape != scores.shape:
        raise ValueError(f"groups must name the patient of each of {len(scores)} scores, got {len(owners)}.")
    sizes = np.bincount(owners)
    unit = math.lcm(*set(sizes.tolist()))  # sums of 1/n_k in whole numbers: thirds must sum to 1, whatever their order
    order = np.argsort(-scores)
    falling = scores[order]
    tails = list(accumulate(unit // size for size in sizes[owners[order]].tolist()))
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # ties count together
    p_values = [(unit + tail) / (unit * (len(sizes) + 1)) for tail in (0, *(tails[end] for end in ends))]
    return falling[ends][::-1], np.array(p_values[::-1])


def patients_needed(alpha: float) -> int:
    """Return the least number of normal patients for a false-alarm rate: 1/alpha - 1, rounded up.

    Raises:
        ValueError: for alpha out of (0, 1).

    Example:
        >>> [patients_needed(alpha) for alpha in (0.01, 0.05, 0.1)]
        [99, 19, 9]
    """
    check_rate(alpha)
    count = max(1, int(1.0 / alpha) - 2)
    while smallest_rate(count) > alpha:  # in floats, as p-values are compared
        count += 1
    return count


def smallest_rate(n_patients: int) -> float:
    """Return the least false-alarm rate that a number of normal patients supports."""
    return 1.0 / (n_patients + 1.0)


def check_rate(alpha: float) -> float:
    """Return a false-alarm rate unchanged.

    Raises:
        ValueError: unless it is a number in (0, 1).
    """
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0.0 < alpha < 1.0:
        raise ValueError(f"false_alarm_rate must be a number above 0 and below 1, such as 0.05, got {alpha!r}.")
    return float(alpha)


def _finite(scores: npt.ArrayLike, name: str) -> Floats:
    """Return scores as a vector without -0.0, refusing what has no place in an order."""
    values = np.asarray(scores, dtype=np.float64) + 0.0
    if values.ndim != 1:
        raise ValueError(f"{name} must be a vector, got the shape {values.shape}.")
    with np.errstate(over="ignore"):
        beyond = np.nextafter(values, np.inf)  # which may be a threshold
    bad = int(np.count_nonzero(~(np.isfinite(values) & np.isfinite(beyond))))
    if bad:
        raise ValueError(f"{bad} of {len(values)} {name} are not finite; find out why before any decision.")
    return values
