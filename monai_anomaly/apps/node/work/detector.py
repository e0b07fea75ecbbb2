# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The detector of a node, and its row in the database."""

from __future__ import annotations

from monai_anomaly import __version__
from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.queue import known_detector
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.loading import load

__all__ = ["open_node_detector", "register_detector"]

KEPT_BYTES = 48 << 20
"""Of pictures between their scoring and their results: a batch of most images; larger ones are decoded once more."""


def open_node_detector(settings: NodeSettings) -> AnomalyDetector:
    """Open the detector that the settings name; files are decoded in a process with a limit.

    Raises:
        AuditError: for an audit log that cannot be.
        CalibrationError: when the calibration does not belong to it.
        CheckpointError: when there is no such file, or it is damaged.
    """
    chosen = settings.detector
    detector = load(
        chosen.checkpoint,
        calibration=chosen.calibration,
        false_alarm_rate=chosen.false_alarm_rate,
        frames=chosen.frames,
        aggregate=chosen.aggregate,
        device=chosen.device,
        batch_size=settings.workers.batch,
        decode_limit=settings.workers.seconds,
        audit=settings.audit,
        operator=settings.operator,
    )
    detector.keep_pictures(KEPT_BYTES)
    return detector


def register_detector(database: Database, detector: AnomalyDetector) -> int:
    """Return the number of the detector's row."""
    calibration = detector.calibration
    with database.begin() as session:
        return known_detector(
            session,
            weights=detector.trained.model_hash,
            calibration="" if calibration is None else calibration.digest,
            name=str(detector.trained.spec["detector"]),
            version=__version__,
            false_alarm_rate=None if calibration is None else detector.false_alarm_rate,
            threshold=detector.threshold,
            map_range=list(detector.map_range),
        )
