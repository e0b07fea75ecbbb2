# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which detector was tested, and with what: digests and versions, no name of a machine, no path."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.utils.environment import package_versions
from monai_anomaly.utils.file_digest import file_digest

__all__ = ["describe_detector", "describe_software"]

_PACKAGES = ("monai_anomaly", "monai", "torch", "numpy", "pydicom", "pillow")


def describe_detector(detector: AnomalyDetector, calibration: Path | None) -> dict[str, Any]:
    """Return what identifies a detector and its decisions.

    Args:
        detector: the detector.
        calibration: the file of its calibration.
    """
    trained, known = detector.trained, detector.calibration
    return {
        "method": trained.spec["detector"],
        "weights_sha256": trained.model_hash,
        "configuration_sha256": trained.spec_hash,
        "calibration_sha256": None if calibration is None else file_digest(calibration),
        "calibration_date": None if known is None else known.date,
        "calibration_images": None if known is None else known.n_images,
        "calibration_patients": None if known is None else known.n_patients,
        "threshold": detector.threshold,
        "false_alarm_rate": detector.false_alarm_rate,
        "frames": detector.frames,
        "aggregate": detector.aggregate,
        "guard_images": None if detector.guard is None else detector.guard.n_images,
        "training_images_known": trained.fingerprints is not None,
        "unfinished": trained.unfinished,
        "pool_warning": trained.pool_warning,
    }


def describe_software(detector: AnomalyDetector) -> dict[str, Any]:
    """Return versions, and the kind of machine."""
    device = detector.device
    return {
        **package_versions(_PACKAGES),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }
