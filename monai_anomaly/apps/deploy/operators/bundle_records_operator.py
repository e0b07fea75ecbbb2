# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from typing import Any

from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_anomaly.apps.deploy.bundle_records import BundleRecords

__all__ = ["OUTPUTS", "BundleRecordsOperator"]

OUTPUTS = ("pred", "score", "p_value", "decision")
"""What ``MonaiBundleInferenceOperator`` gives of a detector's ``.ts`` file, as its metadata name it."""


class BundleRecordsOperator(Operator):
    """Writes a record and a map for each picture that ``MonaiBundleInferenceOperator`` scored.

    Named inputs:
        item: what :class:`.PictureOperator` emits.
        pred, score, p_value, decision: what the bundle's operator does.

    Args:
        fragment: the app.
        records: where they are written.
        kwargs: ``name`` and others of the SDK.
    """

    def __init__(self, fragment: Fragment, *args: Any, records: BundleRecords, **kwargs: Any) -> None:
        self._records = records
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name the inputs."""
        for name in ("item", *OUTPUTS):
            spec.input(name)

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write what came in."""
        item = op_input.receive("item")
        levels, score, p_value, decision = (op_input.receive(name) for name in OUTPUTS)
        known = None if math.isnan(p_value) else float(p_value)
        self._records.add(item, levels.asnumpy(), score=float(score), p_value=known, decision=str(decision))
