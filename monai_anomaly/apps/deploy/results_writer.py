# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an app of MONAI Deploy leaves: the records, maps and DICOM objects of ``predict --dicom``."""

from __future__ import annotations

import os
from typing import Any

from monai_anomaly.apps.deploy.run_folder import RunFolder
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.model_identity import model_identity
from monai_anomaly.dicom_results import DicomResults
from monai_anomaly.handlers.scoring.dicom_files import write_objects
from monai_anomaly.handlers.scoring.inference_files import TABLE
from monai_anomaly.handlers.scoring.picture_files import PictureFiles
from monai_anomaly.handlers.scoring.predictions_table import write_predictions
from monai_anomaly.scoring.result import Result

__all__ = ["ResultsWriter"]


class ResultsWriter:
    """Writes ``records.jsonl``, ``predictions.csv``, ``maps/`` and ``dicom/``, as a bundle's inference does.

    Args:
        output_dir: of a :class:`.RunFolder`.
        detector: what scores.
        uid_root: the site's own root for UIDs; empty for none.

    Raises:
        ConfigError: for a root that is none, or a folder that another run writes into.
    """

    def __init__(self, output_dir: str | os.PathLike[str], detector: AnomalyDetector, *, uid_root: str = "") -> None:
        self._objects = DicomResults(model_identity(detector.trained, detector.calibration, uid_root=uid_root))
        self._pictures = PictureFiles(maps="png", overlays=False, sources=None, map_range=detector.map_range)
        self._run = RunFolder(output_dir)
        self._pictures.start(self._run.path)

    def add(self, source: Any, result: Result) -> None:
        """Write what there is to write of one result.

        Args:
            source: the image: its path, or its ``Dataset``.
            result: of it.

        Raises:
            OSError: when something cannot be written.
        """
        number, record = self._run.records.counts.total(), result.record()
        if result.status == "scored":
            self._pictures.write(result, number, number).add_to(record)
        record |= write_objects(self._objects, self._run.path, number, source, result)
        self._run.records.append(record)
        self._run.records.flush()

    def finish(self, expected: int) -> None:
        """Put the results in the place of earlier ones; see :meth:`.RunFolder.finish`."""
        write_predictions(self._run.records.partial, self._run.path / TABLE)
        self._run.finish(expected)
