# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What it costs to miss few abnormal images: the false-alarm rate at a given sensitivity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monai_anomaly.metrics.bootstrap import Counts, count_above
from monai_anomaly.metrics.checked_scores import check_scores, one_class_reason

__all__ = ["check_sensitivity", "false_alarm_rate_at", "false_alarm_rate_at_sensitivity"]


def false_alarm_rate_at_sensitivity(scores: npt.ArrayLike, labels: npt.ArrayLike, sensitivity: float = 0.95) -> float:
    """Share of the normal images at or above the highest threshold that catches enough of the abnormal ones.

    The threshold is read off the abnormal images themselves: an oracle, to compare detectors, and no promise for new
    images. An image with a score equal to the threshold is flagged, normal or not. With fewer abnormal images than
    ``1 / (1 - sensitivity)`` all of them must be caught.

    Args:
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        sensitivity: least share of the abnormal images with ``score >= threshold``, above 0 and at most 1.

    Raises:
        ValueError: as :func:`monai_anomaly.metrics.checked_scores.check_scores`; for one class only; for a sensitivity
            outside of (0, 1].
    """
    check_sensitivity(sensitivity)
    table = check_scores(labels, scores)
    if why := one_class_reason(table.positive):
        raise ValueError(
            f"{why[0].upper()}{why[1:]}, so that the false-alarm rate at a sensitivity is undefined. Add images of the "
            "other class."
        )
    return float(false_alarm_rate_at(count_above(table), sensitivity)[0])


def check_sensitivity(sensitivity: float) -> float:
    """Return a sensitivity unchanged.

    Raises:
        ValueError: when it is outside of (0, 1].
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity must be above 0 and at most 1, got {sensitivity}.")
    return sensitivity


def false_alarm_rate_at(counts: Counts, sensitivity: float) -> npt.NDArray[np.float64]:
    """Return the false-alarm rate at a sensitivity of R resamples, ``(R,)``; NaN where a class is missing.

    Args:
        counts: images of each class above each threshold.
        sensitivity: above 0 and at most 1.
    """
    total = counts.abnormal[:, -1:]
    needed = sensitivity * total - 1e-9  # 0.55 * 100 is a little more than 55
    column = (counts.abnormal < needed).sum(axis=1)  # the counts do not fall along a row
    rate = np.take_along_axis(counts.false_alarm_rate, column[:, None], axis=1)
    return np.asarray(np.where(total > 0, rate, np.nan)[:, 0])
