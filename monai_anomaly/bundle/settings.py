# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What decides about the records of an inference, so that one can say which may be kept."""

from __future__ import annotations

import os
from typing import Any

import torch

from monai_anomaly.bundle.calibration import read_any_calibration
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.code_digest import code_digest
from monai_anomaly.utils.environment import installed_versions

__all__ = ["scoring_settings"]


def scoring_settings(
    trained: TrainedDetector,
    calibration: str | os.PathLike[str] | None,
    *,
    preprocessing: Preprocessing,
    device: str | torch.device,
    **settings: Any,
) -> dict[str, Any]:
    """Return the settings with which the same bytes have the same record, map and overlay.

    Args:
        trained: the detector.
        calibration: its calibration's file; None without one.
        preprocessing: what reads a file for it.
        device: where it runs; CPU and GPU differ in the last digits.
        **settings: the others, plain values, by the names of their keys.

    Returns:
        Plain values by name: the digests of weights, calibration and this package's code, the settings, and the
        versions of what computes and decodes.

    Raises:
        CalibrationError: when the calibration is damaged. Where there is none, the run has its own sentence.
    """
    spec = dict(preprocessing.spec)
    spec.pop("decode_limit", None)  # a file within one limit has the same pixels as within another
    path = None if calibration is None else os.path.expanduser(calibration)
    return {
        "weights": trained.model_hash,
        "calibration": read_any_calibration(path).digest if path is not None and os.path.isfile(path) else None,
        **settings,
        "preprocessing": spec,
        "device": torch.device(device).type,
        "code": code_digest(),
        **installed_versions(),
    }
