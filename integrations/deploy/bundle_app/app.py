# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An app for MONAI Deploy with the SDK's own bundle operator: images in; records and maps out.

    python integrations/deploy/bundle_app -i IMAGES -o RESULTS -m MODEL.ts

MODEL.ts is what ``monai-anomaly export --format ts`` writes, or a folder that holds one.
"""

from __future__ import annotations

from monai.deploy.core import Application, Image, IOType
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator

from monai_anomaly.apps.deploy.bundle_records import BundleRecords
from monai_anomaly.apps.deploy.detector_file import detector_file
from monai_anomaly.apps.deploy.operators.bundle_records_operator import OUTPUTS, BundleRecordsOperator
from monai_anomaly.apps.deploy.operators.picture_operator import PictureOperator


class BundleApp(Application):
    """Scores the images of a folder, one frame of each, with the bundle's operator."""

    def compose(self) -> None:
        """Join pictures, bundle and records."""
        context = Application.init_app_context(self.argv)
        model = detector_file(context.model_path, ("ts",))
        self.records = BundleRecords(context.output_path)
        self.pictures = PictureOperator(
            self, input_folder=context.input_path, model=model, rejected=self.records.reject, name="pictures"
        )
        bundle = MonaiBundleInferenceOperator(
            self,
            app_context=context,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping(name, object, IOType.IN_MEMORY) for name in OUTPUTS],
            bundle_path=model,
            name="bundle",
        )
        written = BundleRecordsOperator(self, records=self.records, name="records")
        self.add_flow(self.pictures, bundle, {("image", "image")})
        self.add_flow(self.pictures, written, {("item", "item")})
        self.add_flow(bundle, written, {(name, name) for name in OUTPUTS})

    def run(self) -> None:
        """Run, and put the results in their place when each image has its own."""
        super().run()
        self.records.finish(len(self.pictures.items))


if __name__ == "__main__":
    BundleApp().run()
