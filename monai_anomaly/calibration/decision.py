# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The three answers for an image: score, p-value, decision, and why the decision is what it is."""

from __future__ import annotations

from typing import NamedTuple

from monai_anomaly.calibration.calibration import Calibration

__all__ = ["DECISIONS", "Decision", "decide"]

DECISIONS = ("normal", "anomalous", "not_applicable", "uncalibrated")
"""What a decision can be; an image without a score has none."""


class Decision(NamedTuple):
    """What is decided about a score; None where there is no calibration.

    Args:
        p_value: conformal p-value of the score.
        decision: one of :data:`DECISIONS`.
        reason: one sentence.
        threshold: the score from which on an image is called anomalous.
        false_alarm_rate: the rate that the threshold is for.
    """

    p_value: float | None
    decision: str
    reason: str
    threshold: float | None
    false_alarm_rate: float | None


def decide(score: float, calibration: Calibration | None, alpha: float, *, refusal: str = "") -> Decision:
    """Decide about one image.

    Args:
        score: the image's score, finite.
        calibration: of the detector that gave it; None leaves the score uncalibrated.
        alpha: false-alarm rate.
        refusal: why the method does not apply to this image, from the input guard; empty where it does. The p-value
            is given all the same: it says where the score lies, and the decision says not to trust it.

    Raises:
        CalibrationError: when the calibration has too few patients for `alpha`.
        ValueError: when the score is not finite.
    """
    if calibration is None:
        why = "No calibration was used: the score alone says neither normal nor anomalous."
        return Decision(None, "not_applicable" if refusal else "uncalibrated", refusal or why, None, None)
    threshold = calibration.require_rate(alpha)
    p_value = calibration.p_value(score)
    anomalous = score >= threshold
    side = "not below" if anomalous else "below"
    why = (
        f"The score is {side} {threshold:.6g}, the threshold for false alarms in at most {100 * alpha:g} % of normal "
        f"images (from normals of {calibration.n_patients} patients)."
    )
    decision = "not_applicable" if refusal else "anomalous" if anomalous else "normal"
    return Decision(p_value, decision, refusal or why, threshold, alpha)
