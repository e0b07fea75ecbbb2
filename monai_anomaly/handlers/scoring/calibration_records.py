# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The normals of a calibration as records, for later periods to be compared with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from monai_anomaly.calibration.conformal import left_out_p_values
from monai_anomaly.scoring.result import judge
from monai_anomaly.scoring.study import Study
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["CalibrationRecords", "records_path"]


def records_path(calibration: Path) -> Path:
    """Return where the records of a calibration are: beside it, ``calibration_records.jsonl``."""
    return calibration.with_name(f"{calibration.stem}_records.jsonl")


class CalibrationRecords:
    """Collects a record for each normal, also for those that were not read.

    They are as those of an inference (see :class:`monai_anomaly.handlers.scoring.inference_writer.InferenceWriter`),
    without pictures. ``p_value`` is that of a calibration without the image's patient; ``decision`` is
    ``not_applicable`` or ``uncalibrated``, or null without a score.

    Args:
        aggregate: how the scores of a study's frames make its score.
    """

    def __init__(self, aggregate: str) -> None:
        self._aggregate = aggregate
        self._rows: list[tuple[str, dict[str, Any]]] = []

    def add(self, study: Study) -> None:
        """Take a normal."""
        result = judge(study, calibration=None, alpha=0.1, aggregate=self._aggregate, map_range=(0.0, 1.0))
        group = str(study.top.get("group") or study.name)
        reason = result.decision_reason if result.decision == "not_applicable" else None
        self._rows.append((group, {**result.record(), "map_range": None, "decision_reason": reason}))

    def write(self, path: Path, left_out: Collection[str]) -> None:
        """Write the records, whole or not at all.

        Args:
            path: the file.
            left_out: patients that are no part of the calibration.

        Raises:
            OSError: when it cannot be written.
        """
        rows = [(group, record) for group, record in self._rows if group not in left_out]
        scored = [(group, record) for group, record in rows if record["score"] is not None]
        p_values = left_out_p_values([record["score"] for _, record in scored], [group for group, _ in scored])
        for (_, record), p_value in zip(scored, p_values.tolist(), strict=True):
            record["p_value"] = p_value
        atomic_write(path, _lines(record for _, record in rows))


def _lines(records: Iterable[dict[str, Any]]) -> bytes:
    text = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    return text.encode(errors="backslashreplace")
