# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A folder without a list and without splits: a plain tree ``<class>/...``, or images that are all of one kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.files import count_of_system, list_folders
from monai_anomaly.data.lists.folders.class_folders import find_classes, is_class
from monai_anomaly.data.lists.folders.folder_entries import list_files, take_masks
from monai_anomaly.data.lists.folders.folder_names import SPLITS, section_of
from monai_anomaly.data.lists.folders.folder_tree import (
    find_class_folders,
    find_split,
    list_classes,
    list_pool,
    read_tree,
)
from monai_anomaly.data.lists.folders.tally import OF_SYSTEM, Tally
from monai_anomaly.data.lists.patient_split import split_patients
from monai_anomaly.data.lists.patients import add_patients_of_pool, add_patients_to_entries
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["has_splits", "is_plain_tree", "list_normals", "list_to_score", "read_plain_tree"]

logger = logging.getLogger(__name__)


def has_splits(root: Path) -> bool:
    """Return whether the folder has one of a tree's splits, or a pool."""
    return any(find_split(root, split) for split in (*SPLITS, Section.UNLABELED))


def is_plain_tree(root: Path, abnormal_folders: Sequence[str]) -> bool:
    """Return whether the folder has class folders and no splits."""
    names = [folder.name for folder in list_folders(root)]
    return any(is_class(name, abnormal_folders) for name in names) and not any(
        section_of(name) in SPLITS for name in names
    )


def read_plain_tree(
    root: Path,
    naming: Naming,
    *,
    seed: int,
    shares: Sequence[float],
    abnormal_folders: Sequence[str] = (),
    pool: bool = False,
    quiet: bool = False,
    tally: Tally | None = None,
) -> EntriesBySection:
    """Return the sections of a plain tree, with their patients, dealt out as those of a table without a split are.

    Args:
        root: the folder that holds the class folders, and may hold a pool.
        naming: how files and folders are called in messages.
        seed: draws the split; see :func:`~monai_anomaly.data.lists.patient_split.split_patients`.
        shares: of training, validation and test.
        abnormal_folders: see :func:`~monai_anomaly.data.lists.folders.class_folders.find_classes`.
        pool: give the section ``unlabeled``, without patients of validation and test; it is empty otherwise.
        quiet: do not say how patients are dealt out.
        tally: counts what is passed over.

    Raises:
        DataListError: for folders whose meaning is open, an empty folder of normal images, or when no patient is left
            to train on.
    """
    classes = find_classes(root, root, naming, abnormal_folders)
    if classes is None:
        raise ValueError("root must hold class folders; see is_plain_tree.")
    for folder in (classes.normal, *classes.abnormal):
        if folder:
            _refuse_splits(root, folder, naming)
    tally = tally or Tally()
    tally.at(None)[OF_SYSTEM] += count_of_system(root)
    entries = add_patients_to_entries(root, list_classes(root, classes, naming, tally.at(None)))
    normals = sum(entry.label == 0 for entry in entries)
    if classes.normal and not normals:
        raise DataListError(f"{classes.normal.name} holds no images; put the normal images there.")
    listed = split_patients(entries, seed=seed, shares=shares, quiet=quiet)
    if normals and not listed.training_normals:
        raise DataListError(
            f"all {normals} normal images are of patients who have abnormal images, too, and are not trained on. A "
            "patient is what DICOM headers say, else the folder below a class folder: put images of no known patient "
            "into the class folder itself."
        )
    listed = replace(
        listed,
        validation=take_masks(listed.validation, Section.VALIDATION),
        test=take_masks(listed.test, Section.TEST),
    )
    return _add_pool(root, listed, naming, tally) if pool else listed


def _add_pool(root: Path, listed: EntriesBySection, naming: Naming, tally: Tally) -> EntriesBySection:
    """Return the sections with the pool, without the patients that the draw gave to validation and test."""
    folder = find_split(root, Section.UNLABELED)
    if folder is None:
        return listed
    listed = add_patients_of_pool(root, replace(listed, unlabeled=list_pool(root, folder, naming, tally)))
    apart = {entry.patient for entry in (*listed.validation, *listed.test)}
    kept = [entry for entry in listed.unlabeled if entry.patient not in apart]
    if len(kept) < len(listed.unlabeled):
        logger.warning(
            "%d of %d images of the pool are left out: their patients are in validation or test.",
            len(listed.unlabeled) - len(kept),
            len(listed.unlabeled),
        )
    return replace(listed, unlabeled=kept)


def _refuse_splits(root: Path, folder: Path, naming: Naming) -> None:
    """Refuse splits below a class, which would be taken for patients."""
    splits = [below.name for below in list_folders(folder) if section_of(below.name) is not None]
    if splits:
        place = naming.folder(folder.relative_to(root))
        raise DataListError(
            f"{place} has the folder {splits[0]}, which would be a patient; put the classes into the splits "
            f"({splits[0]}/{place}), or the images into the class folders."
        )


def list_normals(root: Path, tally: Tally) -> list[Entry]:
    """Return the images of a folder that holds nothing but normals; a folder in it is a patient."""
    return list_files(root, root, label=0, counts=tally.at(None))


def list_to_score(root: Path, naming: Naming, abnormal_folders: Sequence[str], tally: Tally) -> list[Entry]:
    """Return the files of a folder without a list: those of its test split, else all.

    Args:
        root: the folder.
        naming: how files and folders are called in messages.
        abnormal_folders: see :func:`~monai_anomaly.data.lists.folders.class_folders.find_classes`.
        tally: counts what is passed over.

    Raises:
        DataListError: when there are none.
    """
    if find_class_folders(root, Section.TEST, naming, abnormal_folders):
        return read_tree(root, naming, Section.TEST, abnormal_folders, tally).test
    place = find_split(root, Section.TEST) or root
    entries = list_files(root, place, label=NO_LABEL, every=True, counts=tally.at(None))
    if not entries:
        raise DataListError("dataset_dir holds no files; give a folder with images.")
    return entries
