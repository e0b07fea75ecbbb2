# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a data set must be, whatever form its list has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["check_apart", "check_both_classes", "check_files"]


def check_apart(listed: EntriesBySection, naming: Naming) -> None:
    """Refuse a patient or a file that is in two sections, but for a patient in training and in the pool.

    Raises:
        DataListError: names the two places.
    """
    patients: dict[str, tuple[Section, Entry]] = {}
    files: dict[str, tuple[Section, Entry]] = {}
    for section, entry in listed.apart():
        for kind, seen, key in (("file", files, entry.name), ("group", patients, entry.patient)):
            other, first = seen.setdefault(key, (section, entry))
            if other is section or (kind, other, section) == ("group", Section.TRAINING, Section.UNLABELED):
                continue
            who = "" if kind == "file" else f" {naming.patient(entry)!r}"
            raise DataListError(
                f"the {kind}{who} is in {other} and in {section}: {naming.place(first)} and "
                f"{naming.place(entry)}; keep each patient in one section{naming.hint}. A group is what the "
                "list says, else the DICOM header's patient or study, else a folder below a class folder."
            )


def check_files(root: Path, entries: Sequence[Entry], naming: Naming) -> None:
    """Refuse entries whose image or mask is not there.

    Raises:
        DataListError: names the first one.
    """
    for entry in entries:
        for what, name in (("image", entry.name), ("mask", entry.mask)):
            if name and not (root / name).is_file():
                called = f" {name!r}" if naming.source_names else ""
                raise DataListError(
                    f"the {what}{called} of {naming.place(entry)} does not exist; add the file or remove the entry."
                )


def check_both_classes(entries: Sequence[Entry]) -> None:
    """Refuse a test section with one class.

    Raises:
        DataListError: says which class is missing.
    """
    labels = {entry.label for entry in entries}
    if labels != {0, 1}:
        missing = "abnormal" if 0 in labels else "normal"
        raise DataListError(
            f"the test section has no {missing} images, and the AUC is undefined with one class; add {missing} test "
            f"images (such as a folder test/{missing}; without splits: {missing}), or run inference.json, which "
            "needs no labels."
        )
