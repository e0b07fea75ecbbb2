# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector

__all__ = ["AnomalyOperator"]


class AnomalyOperator(Operator):
    """Scores images: each gets a :class:`~monai_anomaly.scoring.result.Result` with score, p-value, decision and map.

    Named input:
        images: what :class:`.FolderOperator` emits; or what the SDK's ``DICOMSeriesSelectorOperator`` does, every
            instance of the selected series.

    Named output:
        results: pairs of the image (its path, or its ``Dataset``) and its result, in the order of the input.

    Args:
        fragment: the app.
        detector: what :func:`monai_anomaly.bundle.loading.load` returns; several operators may share one.
        kwargs: ``name`` and others of the SDK.
    """

    def __init__(self, fragment: Fragment, *args: Any, detector: AnomalyDetector, **kwargs: Any) -> None:
        self._detector = detector
        self.count = 0
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name input and output."""
        spec.input("images")
        spec.output("results")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Score what came in."""
        items = list(self._items(op_input.receive("images")))
        results = self._detector.score_items(items)
        op_output.emit([(item["image"], result) for item, result in zip(items, results, strict=True)], "results")

    def _items(self, received: list[Any]) -> Iterator[dict[str, Any]]:
        """Yield items of a data list; instances of the SDK's series are called by their running number."""
        for found in received:
            if isinstance(found, dict):
                self.count += 1
                yield found
                continue
            for selected in found.selected_series:
                for instance in selected.series.get_sop_instances():
                    yield {"image": instance.get_native_sop_instance(), "name": f"instance {self.count}"}
                    self.count += 1
