# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An app of the SDK's own operators up to ours: started by ``test_real_sdk.py`` in the SDK's environment.

``series_app.py anomaly`` scores what the SDK's loader and selector give; ``series_app.py bundle`` gives a volume of the
SDK's to the bundle's operator.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Image, IOType, Operator, OperatorSpec
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator

import monai_anomaly as ma
from monai_anomaly.apps.deploy.operators.anomaly_operator import AnomalyOperator
from monai_anomaly.apps.deploy.operators.bundle_records_operator import OUTPUTS
from monai_anomaly.apps.deploy.operators.results_operator import ResultsOperator
from monai_anomaly.apps.deploy.results_writer import ResultsWriter

EVERYTHING = json.dumps({"selections": [{"name": "all", "conditions": {"Modality": "(.*?)"}}]})


class Sink(Operator):
    """Takes what the bundle gives: an operator whose outputs nobody takes never runs."""

    def setup(self, spec: OperatorSpec) -> None:
        """Name the inputs."""
        for name in OUTPUTS:
            spec.input(name)

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Say that there was a score."""
        print("score", op_input.receive("score"))


class SeriesApp(Application):
    """Takes every series."""

    kind = "anomaly"

    def compose(self) -> None:
        """Join the SDK's operators and one of ours."""
        context = Application.init_app_context(self.argv)
        folder = Path(context.input_path)
        loader = DICOMDataLoaderOperator(self, CountCondition(self, 1), input_folder=folder, name="loader")
        selector = DICOMSeriesSelectorOperator(self, rules=EVERYTHING, all_matched=True, name="selector")
        self.add_flow(loader, selector, {("dicom_study_list", "dicom_study_list")})
        if self.kind == "bundle":
            volume = DICOMSeriesToVolumeOperator(self, name="volume")
            bundle = MonaiBundleInferenceOperator(
                self,
                app_context=context,
                input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
                output_mapping=[IOMapping(name, object, IOType.IN_MEMORY) for name in OUTPUTS],
                bundle_path=context.model_path,
                name="bundle",
            )
            self.add_flow(selector, volume, {("study_selected_series_list", "study_selected_series_list")})
            self.add_flow(volume, bundle, {("image", "image")})
            self.add_flow(bundle, Sink(self, name="sink"), {(name, name) for name in OUTPUTS})
            return
        detector = ma.load(context.model_path)
        self.writer = ResultsWriter(context.output_path, detector)
        self.scores = AnomalyOperator(self, detector=detector, name="anomaly")
        results = ResultsOperator(self, writer=self.writer, name="results")
        self.add_flow(selector, self.scores, {("study_selected_series_list", "images")})
        self.add_flow(self.scores, results, {("results", "results")})


if __name__ == "__main__":
    SeriesApp.kind = sys.argv.pop(1)
    app = SeriesApp()
    app.run()
    if SeriesApp.kind == "anomaly":
        app.writer.finish(app.scores.count)
