# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of an inference as a table, for a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

from monai_anomaly.handlers.scoring.record_file import read_records
from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.spreadsheet import as_text

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
    :func:`monai_anomaly.utils.spreadsheet.as_text` for texts.

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
        table = csv.writer(file)  # with RFC 4180's line ends, or a name with one in it would not be quoted
        table.writerow(COLUMNS)
        for record in read_records(records):
            values = (record[column] for column in COLUMNS)
            table.writerow([as_text(value) if isinstance(value, str) else value for value in values])
