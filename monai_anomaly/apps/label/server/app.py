# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The app that MONAI Label's server runs; the folder of ``monai-anomaly label-app`` imports it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.config import settings as server_settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.utils.async_tasks.utils import processes

from monai_anomaly import __version__
from monai_anomaly.apps.label.reading_order import ORDERS
from monai_anomaly.apps.label.score_studies import store_of
from monai_anomaly.apps.label.served_detector import ServedDetector
from monai_anomaly.apps.label.server.datastores import FolderStudies
from monai_anomaly.apps.label.server.refusals import answer_refusals
from monai_anomaly.apps.label.server.tasks import (
    AnomalyInfer,
    AnomalyScoring,
    AnomalyTraining,
    ReadingOrder,
    VerdictMetrics,
)
from monai_anomaly.apps.label.settings import TRAINED_HERE, find_detectors, read_settings
from monai_anomaly.apps.label.training import Training
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["AnomalyApp"]

SCORING, METRICS = "anomaly", "verdicts"

logger = logging.getLogger(__name__)


class AnomalyApp(MONAILabelApp):
    """Heat maps and scores, an order to read in, trainings without labels, and readers' verdicts.

    Args:
        app_dir: the app's folder.
        studies: a folder of images, or the URL of a DICOMweb server.
        conf: the pairs of ``--conf``; see :func:`~monai_anomaly.apps.label.settings.read_settings`.
    """

    def __init__(self, app_dir: str, studies: str, conf: Mapping[str, str]) -> None:
        self._told = read_settings(conf or {})
        self._home = Path(app_dir, "model", TRAINED_HERE)
        self._detectors = find_detectors(self._told, self._home)
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name="monai_anomaly",
            description="Anomaly detection: heat maps, scores, and what to read first",
            version=__version__,
        )
        self._datastore.records = self._records

    # ---- what there is -----------------------------------------------------------------------------------------------

    def init_infers(self) -> dict[str, InferTask]:
        """Return the detectors."""
        return {name: AnomalyInfer(served) for name, served in self._detectors.items()}

    def init_trainers(self) -> dict[str, TrainTask]:
        """Return the training of the datastore's images."""
        return {TRAINED_HERE: AnomalyTraining(Training(self._home, self._told))}

    def init_strategies(self) -> dict[str, Strategy]:
        """Return the orders to read in, and MONAI Label's random one."""
        orders = {name: ReadingOrder(name, self._choose) for name in ORDERS}
        return {**orders, **super().init_strategies()}

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        """Return the scoring of all images, and the metrics of verdicts."""
        return {SCORING: AnomalyScoring(self._choose), METRICS: VerdictMetrics(self._choose, self._home)}

    def init_datastore(self) -> Datastore:
        """Return the images of a folder or a DICOMweb server."""
        if self.studies.startswith(("http://", "https://")):
            return self.init_remote_datastore()
        return FolderStudies(
            self.studies,
            auto_reload=server_settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD,
            read_only=server_settings.MONAI_LABEL_DATASTORE_READ_ONLY,
        )

    def init_remote_datastore(self) -> Datastore:
        """Return the images of a DICOMweb server, as they are stored there.

        Raises:
            ConfigError: for another kind of server, whose images would be converted.
        """
        kind = server_settings.MONAI_LABEL_DATASTORE
        if kind and kind.lower() != "dicomweb":
            raise ConfigError(
                f"the app reads a folder or a DICOMweb server, not '{kind}' (MONAI_LABEL_DATASTORE): a converted image "
                "is another picture, and has another score."
            )
        from monai_anomaly.apps.label.server.dicom_web_server import dicom_web_studies  # needs dicomweb-client

        return dicom_web_studies(self.studies.rstrip("/").strip())

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return what there is."""
        with answer_refusals():
            known: dict[str, Any] = super().info()
            return known

    def infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Score an image; an image that cannot be read is an answer 422 with the reader's sentence."""
        with answer_refusals():
            answer: dict[str, Any] = super().infer(request, datastore)
            record = answer["params"]
            if record["score"] is None:
                raise ImageReadError(record["code"], record["reason"])
            return answer

    def batch_infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> Any:
        """Score many images; one that cannot be read has a record that says so, and the others go on."""
        return self._batch_infer(request, datastore or self.datastore(), super().infer)

    def next_sample(self, request: dict[str, Any]) -> Any:
        """Return the next image to read."""
        with answer_refusals():
            return super().next_sample(request)

    def scoring(self, request: dict[str, Any], datastore: Datastore | None = None) -> Any:
        """Score the datastore, or measure by verdicts."""
        with answer_refusals():
            return super().scoring(request, datastore)

    def async_scoring(self, method: str | None, params: dict[str, Any] | None = None) -> Any:
        """Start a scoring; one that MONAI Label starts by itself, only where an image has no score and none runs."""
        if method:
            return super().async_scoring(method, params)
        try:
            if processes("scoring") or not self._unscored():
                return {}
        except OSError as error:
            logger.warning("the list of images could not be had (%s); nothing is scored.", type(error).__name__)
            return {}
        return super().async_scoring(SCORING, params)

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _choose(self, request: Mapping[str, Any]) -> ServedDetector:
        """Return the detector that a request names, else the first."""
        name = request.get("model") or next(iter(self._detectors))
        if name not in self._detectors:
            raise ConfigError(f"there is no detector '{name}'; there are {', '.join(self._detectors)}.")
        return self._detectors[name]

    def _records(self, image: str) -> dict[str, Any]:
        """Return what an image's info has of us: under ``anomaly``, each detector's record."""
        known = {}
        for name, served in self._detectors.items():
            record = store_of(self._datastore, served.get()).records().get(image) if served.path else None
            if record is not None:
                known[name] = {key: value for key, value in record.items() if key != "stamp"}
        return {"anomaly": known} if known else {}

    def _unscored(self) -> bool:
        served = self._choose({})
        if served.path is None:
            return False
        return not set(self._datastore.list_images()) <= set(store_of(self._datastore, served.get()).records())
