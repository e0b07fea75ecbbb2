# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What DICOM objects say of the detector that made them."""

from __future__ import annotations

from monai_anomaly import __version__
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.dicom_results.model_identity import ModelIdentity

__all__ = ["model_identity"]


def model_identity(
    trained: TrainedDetector,
    calibration: Calibration | None,
    map_range: tuple[float, float] | None = None,
    *,
    uid_root: str = "",
) -> ModelIdentity:
    """Return what DICOM objects say of a detector.

    Args:
        trained: the detector.
        calibration: what decides; None where nothing does.
        map_range: the map values of the first and the last color; None for the detector's own.
        uid_root: the site's own root for UIDs; empty for none.

    Raises:
        CheckpointError: before any training.
        ConfigError: for a root that is none.
    """
    trained.require_trained()
    return ModelIdentity(
        name=str(trained.spec["detector"]),
        version=__version__,
        weights=trained.model_hash,
        calibration=None if calibration is None else calibration.digest,
        map_range=map_range or trained.map_range,
        threshold_origin="" if calibration is None else _origin(calibration),
        date="" if calibration is None else calibration.date[:10].replace("-", ""),
        uid_root=uid_root,
    )


def _origin(calibration: Calibration) -> str:
    date = f", calibrated on {calibration.date[:10]}" if calibration.date else ""
    return f"{calibration.n_images} held-out normals of {calibration.n_patients} patients{date}"
