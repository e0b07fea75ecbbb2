# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a data set must be, whatever form its list has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.folders.folder_names import is_no_image
from monai_anomaly.data.lists.folders.helper_files import find_helpers
from monai_anomaly.data.lists.folders.helper_names import folder_word, helped_stems, stem_of
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["check_apart", "check_both_classes", "check_files", "refuse_helpers"]


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
        for what, name in (("image", entry.name), *(("mask", mask) for mask in (entry.mask, *entry.more_masks))):
            if name and not (root / name).is_file():
                called = f" {name!r}" if naming.source_names else ""
                raise DataListError(
                    f"the {what}{called} of {naming.place(entry)} does not exist; add the file or remove the entry."
                )


def refuse_helpers(root: Path, listed: EntriesBySection, naming: Naming) -> None:
    """Refuse a list that names a mask, or another helper of an image, as an image.

    Raises:
        DataListError: says how many, and where the first one is.
    """
    everything = [*listed.training, *listed.validation, *listed.test, *listed.inference, *listed.unlabeled]
    suspected = {entry.name: entry for entry in everything if _may_be_helper(entry.name)}
    names = {entry.name for entry in everything}
    for folder in {name.rpartition("/")[0] for name in suspected}:
        if (root / folder).is_dir():
            files = [path.name for path in (root / folder).iterdir() if path.is_file()]
            names.update(f"{folder}/{name}" if folder else name for name in files)
    images = (name for name in names if not is_no_image(Path(name)))
    helpers = [suspected[helper.path] for helper in find_helpers(images) if helper.path in suspected]
    if helpers:
        raise DataListError(
            f"{len(helpers)} listed images are called as masks or other helpers of an image are that lies beside them "
            f"({naming.place(helpers[0])} first), and a helper is no image; take them off the list, list masks as "
            f"mask of their images, or rename them{naming.hint}."
        )


def _may_be_helper(name: str) -> bool:
    *folders, file = name.split("/")
    return any(helped_stems(stem_of(file))) or any(map(folder_word, folders))


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
