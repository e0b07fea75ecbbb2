# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The patients of a data set, as far as DICOM headers tell, so that no patient is in training and in test."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.names import DicomNames, read_names
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["add_patients", "add_patients_of_pool", "add_patients_to_entries"]

logger = logging.getLogger(__name__)


def add_patients(root: Path, listed: EntriesBySection) -> EntriesBySection:
    """Give the entries without a group that of their patient, as far as DICOM headers tell.

    A group in the list wins. Then a DICOM file's group is its Patient ID with the issuer, else the tree's folder, else
    the Study Instance UID; any other file's is the folder, else the file. A Patient ID, or a study, that every DICOM
    file shares tells nothing, as in anonymized archives, and is passed over with a warning.

    Headers of training normals, validation and test are read. Abnormal training images are never used, nor opened here;
    inference needs no groups; for the pool see :func:`add_patients_of_pool`.

    Args:
        root: names are relative to it.
        listed: the data set.
    """
    grouped = [*listed.training_normals, *listed.validation, *listed.test]
    groups = _find_groups(root, [entry for entry in grouped if entry.group is None])
    return listed.map(lambda entries: _give_groups(entries, groups))


def add_patients_to_entries(root: Path, entries: Sequence[Entry]) -> list[Entry]:
    """Give entries that no section has yet the groups that :func:`add_patients` would give them."""
    groups = _find_groups(root, [entry for entry in entries if entry.group is None])
    return _give_groups(entries, groups)


def add_patients_of_pool(root: Path, listed: EntriesBySection) -> EntriesBySection:
    """Give the pool's entries their patients, after :func:`add_patients`; the other sections stay as they are.

    The pool's headers are compared with those of all sections: a Patient ID that the whole pool shares tells its images
    apart from the others, as it may be one test patient's.

    Args:
        root: names are relative to it.
        listed: the data set, with the patients of its other sections.
    """
    if not listed.unlabeled:
        return listed
    others = [*listed.training_normals, *listed.validation, *listed.test]
    from_headers = [entry for entry in others if entry.group is None or entry.private]
    of_pool = [entry for entry in listed.unlabeled if entry.group is None]
    groups = _find_groups(root, [*from_headers, *of_pool])
    return replace(listed, unlabeled=_give_groups(listed.unlabeled, groups))


def _find_groups(root: Path, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the group of each file whose header tells one, by the file's name."""
    names = _read_all(root, sorted({entry.name for entry in entries}))
    if not names:
        return {}
    known = _without_common(names)
    groups = {entry.name: _group(entry, known.get(entry.name)) for entry in entries}
    _warn_missing(known)
    return {name: group for name, group in groups.items() if group}


def _give_groups(entries: Sequence[Entry], groups: Mapping[str, str]) -> list[Entry]:
    """Return the entries, those without a group with that of their file."""
    return [
        replace(entry, group=groups[entry.name], private=True)
        if entry.group is None and entry.name in groups
        else entry
        for entry in entries
    ]


def _group(entry: Entry, names: DicomNames | None) -> str | None:
    """Return the group that a header gives to an entry, None where it is the folder or the file."""
    if names is None:
        return None
    return names.patient or (None if entry.folder else names.study) or None


def _read_all(root: Path, files: list[str]) -> dict[str, DicomNames]:
    """Return what the headers say, without the files that are no DICOM or have no readable header."""
    readable = {}
    unreadable = 0
    for file in files:
        try:
            names = read_names(root / file)
        except ImageReadError:  # the reader will say why
            unreadable += 1
            continue
        if names is not None:
            readable[file] = names
    if unreadable:
        logger.warning("%d of %d headers could not be read for the patient.", unreadable, len(files))
    return readable


def _without_common(names: dict[str, DicomNames]) -> dict[str, DicomNames]:
    """Remove a patient that all files share, and then, where no file has a patient, a study that all share."""
    patients = [header.patient for header in names.values()]
    if _is_common(patients, "PatientID", "the folder or study stands for it"):
        names = {file: replace(header, patient="") for file, header in names.items()}
    if any(header.patient for header in names.values()):
        return names
    studies = [header.study for header in names.values()]
    if _is_common(studies, "StudyInstanceUID", "the folder or file stands for the patient"):
        names = {file: replace(header, study="") for file, header in names.items()}
    return names


def _is_common(values: list[str], keyword: str, instead: str) -> bool:
    """Return whether all of several files share one value, with a warning."""
    if len(values) < 2 or not values[0] or len(set(values)) > 1:
        return False
    logger.warning(
        "All %d DICOM files have one and the same %s, which tells no patients apart: %s. Where that is wrong, write a "
        "dataset.json or labels.csv with group.",
        len(values),
        element(keyword),
        instead,
    )
    return True


def _warn_missing(names: Mapping[str, DicomNames]) -> None:
    """Say how many files have no patient, where others have one."""
    without = sum(not header.patient for header in names.values())
    if 0 < without < len(names):
        logger.warning(
            "%d of %d DICOM files have no %s; their folder or study stands for the patient.",
            without,
            len(names),
            element("PatientID"),
        )
