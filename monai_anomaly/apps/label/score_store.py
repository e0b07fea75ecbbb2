# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The scores of a datastore on disk, one line each as they are made: a kill costs none that was written before.

MONAI Label keeps what it knows of all images and labels in one file, which each process writes anew from what it read
at its start: two that write cost each other's labels. So scores have a file of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector

__all__ = ["ScoreStore", "rules_of"]

_IMAGE, _STAMP = "image", "stamp"


def rules_of(detector: AnomalyDetector) -> str:
    """Return 16 digits that stand for all that a score, and what is said of it, depends on besides the image."""
    calibration = detector.calibration
    known = (
        detector.trained.model_hash,
        None if calibration is None else calibration.digest,
        detector.false_alarm_rate,
        detector.guard is not None,
        detector.frames,
        detector.aggregate,
    )
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


class ScoreStore:
    """The records of one detector; one process writes them, others may read meanwhile.

    Args:
        folder: where the files of all detectors are.
        rules: of the detector, :func:`rules_of`.
    """

    def __init__(self, folder: Path, rules: str) -> None:
        self.path = folder / f"scores-{rules}.jsonl"
        self._read: tuple[tuple[int, int], dict[str, dict[str, Any]]] | None = None

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the last record of each image, with ``stamp``, by the image's name; a line that was cut off is none.

        The dictionary must not be changed.
        """
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return {}
        mark = state.st_size, state.st_mtime_ns
        if self._read is None or self._read[0] != mark:
            self._read = mark, self._parse()
        return self._read[1]

    def append(self, image: str, stamp: str, record: dict[str, Any]) -> None:
        """Write a record; it is on the disk when this returns.

        Args:
            image: MONAI Label's name of it.
            stamp: of the file that was scored.
            record: plain values.

        Raises:
            OSError: when it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({_IMAGE: image, _STAMP: stamp, **record}, allow_nan=False)  # ASCII: any name can be written
        with open(self.path, "ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            begun = file.read(1) not in (b"", b"\n")  # a kill has cut a line off
            file.write(b"\n" * begun + line.encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _parse(self) -> dict[str, dict[str, Any]]:
        records: dict[str, dict[str, Any]] = {}
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                records[record.pop(_IMAGE)] = record
        return records
