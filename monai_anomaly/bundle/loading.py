# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a program opens what a training left."""

from __future__ import annotations

import os
from typing import Any

import torch

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.auditing import open_audit
from monai_anomaly.bundle.calibration import calibration_path, read_calibration
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import check_rate
from monai_anomaly.data.frame_rule import check_frame_rule
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.utils.exceptions import CalibrationError

__all__ = ["load"]

PathLike = str | os.PathLike[str]


def load(
    path: PathLike,
    *,
    calibration: PathLike | bool | None = None,
    false_alarm_rate: float = 0.1,
    guard: bool = True,
    device: str | torch.device | None = None,
    frames: str | None = None,
    aggregate: str = "max",
    batch_size: int = 32,
    decode_limit: float | None = 10,
    audit: PathLike | None = None,
    operator: str | None = None,
) -> AnomalyDetector:
    """Open a trained detector, with the calibration that lies beside it and the input guard that it holds.

    Args:
        path: a ``model.pt`` of a bundle's training, or the folder that holds one; a ``checkpoint.pt``, which has no
            guard and no map range; or an export: ``.pt2``, ``.ts`` or ``.onnx``, which needs the extra ``onnx``.
        calibration: a ``calibration.json``. None takes the one in an export or else beside the weights, if there is
            one; False takes none. Without one, decisions are ``uncalibrated``.
        false_alarm_rate: the share of normal images that decisions may call anomalous, in (0, 1).
        guard: whether an image that the method was never shown the like of is ``not_applicable``.
        device: None takes the GPU where there is one.
        frames: which frames of a cine are scored: ``"middle"``, ``"all"``, ``"every:N"`` or ``"spaced:N"``; None takes
            the training's rule.
        aggregate: how frames' scores make a cine's: ``"max"``, ``"mean"`` or ``"quantile:Q"``.
        batch_size: frames that are read before they are scored together.
        decode_limit: seconds of computing for a file, which is decoded in a process of its own; a file that takes
            longer or breaks the process is refused. None decodes in this process, for files that can be trusted.
            Arrays and images of Pillow are decoded in this process.
        audit: an audit log, to which each result is written before it is returned; None keeps none.
        operator: who runs the program, for the audit log, which needs it.

    Raises:
        AuditError: for an audit log without an operator.
        CheckpointError: when there is no such file, it is damaged, or something else made it.
        ConfigError: for a file of ONNX without its packages.
        CalibrationError: when the calibration is damaged, of other weights or rules, or has too few patients for the
            false-alarm rate.
        ValueError: for a value that is not allowed.
    """
    path = os.path.expanduser(path)
    trained = TrainedDetector.read(os.path.join(path, "model.pt") if os.path.isdir(path) else path)
    if frames is None:
        trained.require_data()
    frames = check_frame_rule(trained.spec["data"]["frames"] if frames is None else frames)
    rules: dict[str, Any] = {"frames": frames, "aggregate": check_aggregate(aggregate)}
    known = _find_calibration(trained, calibration, check_rate(false_alarm_rate), rules)
    return AnomalyDetector(
        trained,
        calibration=known,
        false_alarm_rate=false_alarm_rate,
        guard=trained.guard if guard else None,
        device=device,
        batch_size=batch_size,
        decode_limit=decode_limit,
        audit=open_audit(audit, operator, trained, false_alarm_rate=false_alarm_rate, guard=guard, **rules),
        **rules,
    )


def _find_calibration(
    trained: TrainedDetector, calibration: PathLike | bool | None, rate: float, rules: dict[str, Any]
) -> Calibration | None:
    """Return the calibration that is meant; one that does not belong to the detector is an error, not none."""
    if isinstance(calibration, bool) and not calibration:
        return None
    named = calibration is not None and not isinstance(calibration, bool)
    place = os.path.expanduser(calibration) if named else calibration_path(trained.path)  # type: ignore[arg-type]
    if not named and not os.path.isfile(place) and not calibration:
        return None
    try:
        return read_calibration(place, trained, false_alarm_rate=rate, **rules)
    except CalibrationError as error:
        if named:
            raise
        raise CalibrationError(f"{error} (calibration=False scores without it.)") from error
