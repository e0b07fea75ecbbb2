# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What decides about the records of an archive, the same on all machines and in all runs that go on."""

from __future__ import annotations

from typing import Any

from monai_anomaly.apps.archive.options import ArchiveOptions
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.calibration import calibration_path
from monai_anomaly.bundle.loading import load
from monai_anomaly.bundle.settings import scoring_settings
from monai_anomaly.utils.identity import site_hash

__all__ = ["archive_settings", "open_detector"]


def open_detector(options: ArchiveOptions, device: str) -> AnomalyDetector:
    """Open the detector that the options name.

    Raises:
        CalibrationError: when the calibration does not belong to it, or there is none and scores alone are not asked.
        CheckpointError: when there is no such file, or it is damaged.
        ValueError: for a value that is not allowed.
    """
    return load(
        options.checkpoint,
        calibration=False if options.uncalibrated else options.calibration or True,
        false_alarm_rate=options.false_alarm_rate,
        guard=options.guard,
        device=device,
        frames=options.frames,
        aggregate=options.aggregate,
        batch_size=options.batch_size,
        decode_limit=options.decode_limit,
    )


def archive_settings(detector: AnomalyDetector, options: ArchiveOptions, device: str) -> dict[str, Any]:
    """Return the settings with which the same bytes have the same record and map.

    See :func:`monai_anomaly.bundle.settings.scoring_settings`.

    Args:
        detector: as :func:`open_detector` opens it.
        options: how the archive is scored.
        device: where workers score.

    Raises:
        ConfigError: without a key for names.
    """
    path = options.calibration or calibration_path(detector.trained.path)
    return {
        **scoring_settings(
            detector.trained,
            None if options.uncalibrated else path,
            preprocessing=detector.trained.preprocessing,
            device=device,
            false_alarm_rate=options.false_alarm_rate,
            frames=detector.frames,
            aggregate=detector.aggregate,
            guard=options.guard,
            maps=options.maps,
            map_range=list(detector.map_range),
            source_names=options.source_names,
        ),
        "key of the site": site_hash("archive")("the key"),
    }
