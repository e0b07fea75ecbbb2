# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a detector was opened before as it is now, so that images are taken in before PyTorch is imported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monai_anomaly import __version__
from monai_anomaly.apps.node.configuration.sections import DetectorSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Detector, Meta

__all__ = ["detector_key", "recall_detector", "remember_detector"]

ROW = "opened detector"


def detector_key(chosen: DetectorSettings) -> str:
    """Return a digest of all that decides whether a detector opens: its files, the settings and this version.

    Args:
        chosen: the settings; a file that cannot be read has a digest, too, and was never opened.
    """
    model = chosen.checkpoint / "model.pt" if chosen.checkpoint.is_dir() else chosen.checkpoint
    files = (model, chosen.calibration or model.with_name("calibration.json"))
    return hashlib.sha256("\n".join((__version__, repr(chosen), *map(_digest, files))).encode()).hexdigest()


def recall_detector(database: Database, key: str) -> int | None:
    """Return the number of the detector that was opened last, if it was with this key."""
    with database.read() as session:
        row = session.get(Meta, ROW)
        known, _, number = ("", "", "") if row is None else row.value.partition(" ")
        return int(number) if known == key and session.get(Detector, int(number)) is not None else None


def remember_detector(database: Database, key: str, number: int) -> None:
    """Enter that a detector was opened."""
    with database.begin() as session:
        session.merge(Meta(name=ROW, value=f"{key} {number}"))


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            hashed = hashlib.sha256()
            while part := file.read(1 << 20):
                hashed.update(part)
            return hashed.hexdigest()
    except OSError:
        return ""
