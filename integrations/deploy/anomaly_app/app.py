# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An app for MONAI Deploy: DICOM images in; records, maps, structured reports, captures and segmentations out.

    python integrations/deploy/anomaly_app -i IMAGES -o RESULTS -m MODEL

MODEL is a ``model.pt`` with its ``calibration.json`` beside it, an export of it, or a folder that holds one of these.
The section ``detector`` of ``app.yaml`` has what :func:`monai_anomaly.load` takes, and ``uid_root``.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from monai.deploy.core import Application

import monai_anomaly as ma
from monai_anomaly.apps.deploy.detector_file import detector_file
from monai_anomaly.apps.deploy.operators.anomaly_operator import AnomalyOperator
from monai_anomaly.apps.deploy.operators.folder_operator import FolderOperator
from monai_anomaly.apps.deploy.operators.results_operator import ResultsOperator
from monai_anomaly.apps.deploy.results_writer import ResultsWriter

CONFIG = os.environ.get("HOLOSCAN_CONFIG_PATH") or Path(__file__).with_name("app.yaml")
"""The settings: those of the package, or the file beside."""


class AnomalyApp(Application):
    """Scores the images of a folder and writes what a PACS takes."""

    def compose(self) -> None:
        """Join folder, detector and results."""
        context = Application.init_app_context(self.argv)
        self.config(str(CONFIG))
        settings = self.kwargs("detector")
        uid_root = settings.pop("uid_root", "")
        detector = ma.load(detector_file(context.model_path), **settings)
        detector.keep_pictures(48 << 20)  # from the scoring to the capture
        self.folder = FolderOperator(self, input_folder=context.input_path, name="folder")
        self.writer = ResultsWriter(context.output_path, detector, uid_root=uid_root)
        scores = AnomalyOperator(self, detector=detector, name="anomaly")
        results = ResultsOperator(self, writer=self.writer, name="results")
        self.add_flow(self.folder, scores, {("images", "images")})
        self.add_flow(scores, results, {("results", "results")})

    def run(self) -> None:
        """Run, and put the results in their place when each image has its own."""
        super().run()
        self.writer.finish(len(self.folder.items))


if __name__ == "__main__":
    logging.getLogger("monai.deploy").setLevel(logging.WARNING)
    AnomalyApp().run()
