# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_anomaly.apps.deploy.results_writer import ResultsWriter

__all__ = ["ResultsOperator"]


class ResultsOperator(Operator):
    """Writes results: records, maps, and the DICOM objects of each scored DICOM image.

    Named input:
        results: what :class:`.AnomalyOperator` emits.

    Args:
        fragment: the app, which calls the writer's ``finish`` when it has run.
        writer: writes.
        kwargs: ``name`` and others of the SDK.
    """

    def __init__(self, fragment: Fragment, *args: Any, writer: ResultsWriter, **kwargs: Any) -> None:
        self._writer = writer
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name the input."""
        spec.input("results")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write what came in."""
        for source, result in op_input.receive("results"):
            self._writer.add(source, result)
