# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The three files of an evaluation, put in the place of the earlier ones together."""

from __future__ import annotations

import csv
from pathlib import Path

from monai_anomaly.handlers.scoring.result_folder import ResultFolder
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["METRICS", "REPORT", "SCORES", "put_in_place"]

METRICS = "metrics.json"
SCORES = "scores.csv"
REPORT = "report.html"


def put_in_place(output_dir: Path, *, metrics: bytes, scores: bytes, report: bytes, n_images: int) -> None:
    """Write the files, count the table's rows on the disk, and move all into the output folder, the metrics last.

    Args:
        output_dir: absolute; made when missing.
        metrics: content of ``metrics.json``.
        scores: content of ``scores.csv``.
        report: content of ``report.html``.
        n_images: rows that the table must have.

    Raises:
        OSError: when a file cannot be written; those of an earlier evaluation are as they were.
        RuntimeError: when the table has another number of rows, or the files cannot be moved; likewise.
    """
    folder = ResultFolder(output_dir, METRICS, files=(SCORES, REPORT), word="partial-evaluation")
    folder.recover()
    folder.discard()
    path = folder.begin()
    try:
        for name, content in ((SCORES, scores), (REPORT, report)):
            atomic_write(path / name, content)
        with open(path / SCORES, encoding="utf-8", newline="") as table:
            n_rows = sum(1 for _ in csv.reader(table)) - 1
        if n_rows != n_images:
            raise RuntimeError(
                f"'{path / SCORES}' has {n_rows} rows, and {n_images} images were scored; the disk lost some, or "
                "something else writes there: run it again."
            )
        atomic_write(path / METRICS, metrics)
        folder.publish()
    except BaseException:
        if not (path / METRICS).is_file():  # complete ones are moved by the next evaluation
            folder.discard()
        raise
