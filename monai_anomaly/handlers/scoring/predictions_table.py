# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of an inference as a table, for a spreadsheet."""

from __future__ import annotations

from pathlib import Path

from monai_anomaly.handlers.scoring.record_file import read_records
from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.spreadsheet import csv_lines

__all__ = ["COLUMNS", "write_predictions"]

COLUMNS = (
    "image",
    "status",
    "score",
    "p_value",
    "decision",
    "decision_reason",
    "threshold",
    "false_alarm_rate",
    "frame",
    "map",
    "overlay",
    "code",
    "reason",
)
"""Keys of a record that are one value."""


def write_predictions(records: Path, path: Path) -> None:
    """Write a row for each record, whole or not at all.

    Numbers are written so that they are read back as they are; what is null is empty. See
    :func:`monai_anomaly.utils.spreadsheet.csv_lines`.

    Args:
        records: the ``records.jsonl``.
        path: the table.

    Raises:
        OSError: when it cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.writelines(csv_lines(COLUMNS, read_records(records)))
