# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Our work as MONAI Label's tasks: inference, scoring, strategies, training."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask

from monai_anomaly.apps.label.answer import LABELS, score_image
from monai_anomaly.apps.label.benchmark import make_benchmark
from monai_anomaly.apps.label.map_file import encode_map
from monai_anomaly.apps.label.published import trained_on
from monai_anomaly.apps.label.reading_order import ORDERS
from monai_anomaly.apps.label.score_studies import score_studies, store_of
from monai_anomaly.apps.label.served_detector import ServedDetector
from monai_anomaly.apps.label.settings import TRAINED_HERE
from monai_anomaly.apps.label.training import DEFAULTS, Training
from monai_anomaly.bundle.label.answer import MAP_KINDS
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["AnomalyInfer", "AnomalyScoring", "AnomalyTraining", "ReadingOrder", "VerdictMetrics"]

Choose = Callable[[Mapping[str, Any]], ServedDetector]
"""Returns the detector that a request means."""


class AnomalyInfer(InferTask):
    """A map as a label, and score, p-value and decision as JSON.

    Args:
        served: the detector.
    """

    def __init__(self, served: ServedDetector) -> None:
        super().__init__(
            type=InferType.SEGMENTATION,
            labels=LABELS,
            dimension=2,
            description="How anomalous an image is, and where",
            config={"map_kind": list(MAP_KINDS)},
        )
        self._served = served

    def is_valid(self) -> bool:
        """Return whether there is a detector by now."""
        return self._served.path is not None

    def get_path(self, validate: bool = True) -> str | None:
        """Return the detector's file."""
        return None if self._served.path is None else str(self._served.path)

    def __call__(self, request: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Return the file of the map, which the caller removes (None without a score), and the record."""
        image = request["image"]
        if not isinstance(image, str) or not image:
            raise ConfigError("there is no such image; name one of the datastore, or send a file.")
        detector, kind = self._served.get(), request.get("map_kind") or MAP_KINDS[0]
        kind = kind[0] if isinstance(kind, list) else kind  # as it is offered, when the client does not choose
        answer = score_image(detector, Path(image))
        record = {"model": self._served.name, "label_names": LABELS, **answer.record()}
        if answer.result.score is None:
            return None, record
        reader, suffix = detector.trained.preprocessing.reader, request.get("result_extension") or ""
        content, suffix = encode_map(answer.result, answer.path, reader, kind=kind, suffix=suffix)
        with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as file:
            file.write(content)
        return file.name, record


class AnomalyScoring(ScoringMethod):
    """Scores the whole datastore.

    Args:
        choose: finds the detector.
    """

    def __init__(self, choose: Choose) -> None:
        super().__init__("Score all images; goes on where it was ended")
        self._choose = choose

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Return how many images were scored."""
        served = self._choose(request)
        done = score_studies(served.get(), datastore, again=bool(request.get("again")))
        return {"model": served.name, **done}


class VerdictMetrics(ScoringMethod):
    """Measures a detector by readers' verdicts.

    Args:
        choose: finds the detector.
        home: the folder of the trainings.
    """

    def __init__(self, choose: Choose, home: Path) -> None:
        super().__init__("Measure the detector by readers' verdicts, and write them as a data list")
        self._choose, self._home = choose, home

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Return the metrics."""
        served = self._choose(request)
        learned = trained_on(self._home) if served.name == TRAINED_HERE else set()
        measured = make_benchmark(served.get(), datastore, name=served.name, learned=learned)
        return {"model": served.name, **measured}


class ReadingOrder(Strategy):
    """Gives the next image without a verdict.

    Args:
        order: of :data:`~monai_anomaly.apps.label.reading_order.ORDERS`.
        choose: finds the detector.
    """

    def __init__(self, order: str, choose: Choose) -> None:
        super().__init__(f"{order.replace('_', ' ').capitalize()} first")
        self._order, self._choose = ORDERS[order], choose

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """Return the image's name, and what is known of it; None when all have a verdict."""
        served = self._choose(request)
        records = store_of(datastore, served.get()).records() if served.path else {}
        images = datastore.get_unlabeled_images(request.get("label_tag"), request.get("labels"))
        ordered = self._order(images, records)
        if not ordered:
            return None
        record = records.get(ordered[0], {})
        return {"id": ordered[0], "model": served.name, **{key: record.get(key) for key in _SHOWN}}


_SHOWN = ("score", "p_value", "decision", "decision_reason")


class AnomalyTraining(TrainTask):
    """Trains a detector on images without labels.

    Args:
        training: what does it.
    """

    def __init__(self, training: Training) -> None:
        super().__init__("Train and calibrate a one-class detector on the images without a verdict")
        self._training = training

    def config(self) -> dict[str, Any]:
        """Return what a request may say."""
        return {key: value for key, value in DEFAULTS.items() if key != "keys"}

    def stats(self) -> dict[str, Any]:
        """Return how far the last training is."""
        return self._training.stats()

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train, and return the stats."""
        return self._training.run(request, datastore)
