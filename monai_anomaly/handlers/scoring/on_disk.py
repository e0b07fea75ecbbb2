# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether what is on the disk is what a run made: a count in memory proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from monai_anomaly.handlers.scoring.inference_files import DICOM_FOLDER, MAPS_FOLDER, OVERLAYS_FOLDER
from monai_anomaly.handlers.scoring.record_file import read_records

__all__ = ["check_on_disk"]


def check_on_disk(records: Path, made: Mapping[str, int], n_inputs: int) -> None:
    """Read a file of records again, and look for the files that it names.

    Args:
        records: the file, beside the folders of maps and overlays.
        made: how many records were written, by their status.
        n_inputs: how many files the records are of.

    Raises:
        RuntimeError: naming what is missing or too many.
    """
    found: Counter[str] = Counter()
    names: dict[str, set[str]] = {MAPS_FOLDER: set(), OVERLAYS_FOLDER: set()}
    dicom: set[str] = set()
    for record in read_records(records):
        dicom |= set((record.get("dicom") or {}).values())
        found[record["status"]] += 1
        for folder, key in ((MAPS_FOLDER, "map"), (OVERLAYS_FOLDER, "overlay")):
            if record[key] is not None:
                names[folder].add(record[key])
    lines = found.total()
    if lines != n_inputs or any(found[status] != count for status, count in made.items()):
        raise RuntimeError(
            f"'{records}' has {lines} lines {dict(sorted(found.items()))}, and {n_inputs} files went in and "
            f"{sum(made.values())} records {dict(sorted(made.items()))} were written; the disk lost some, or something "
            "else writes there: run it again."
        )
    names[DICOM_FOLDER] = dicom
    for folder, wanted in names.items():
        files = (path for path in (records.parent / folder).rglob("*") if path.is_file())
        there = {path.relative_to(records.parent).as_posix() for path in files}
        if there != wanted:
            raise RuntimeError(
                f"'{records.parent / folder}' lacks {len(wanted - there)} files that the records name, and has "
                f"{len(there - wanted)} that they do not; the disk lost some, or something else writes there: run it "
                "again."
            )
