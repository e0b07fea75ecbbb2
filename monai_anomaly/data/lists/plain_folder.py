# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A folder without a list and without splits, whose images are to be scored or are all normal."""

from __future__ import annotations

from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.files import list_files
from monai_anomaly.data.lists.folder_names import SPLITS, class_of
from monai_anomaly.data.lists.folder_tree import find_class_folders, find_split, read_tree
from monai_anomaly.data.lists.section import Section

__all__ = ["has_splits", "list_normals", "list_to_score"]


def has_splits(root: Path) -> bool:
    """Return whether the folder has one of a tree's splits, or a pool."""
    return any(find_split(root, split) for split in (*SPLITS, Section.UNLABELED))


def list_normals(root: Path) -> list[Entry]:
    """Return the images of a folder that holds nothing but normals; a folder in it is a patient.

    Raises:
        DataListError: when it holds class folders, so that some of its images may be no normals.
    """
    classes = sorted(path.name for path in root.iterdir() if path.is_dir() and class_of(path.name) is not None)
    if classes:
        raise DataListError(
            f"dataset_dir has the class folders {', '.join(classes)} and no splits, so that not every image in it is a "
            "patient's normal one; give the folder of normal images itself, or name it train/normal."
        )
    return list_files(root, root, label=0)


def list_to_score(root: Path, naming: Naming) -> list[Entry]:
    """Return the files of a folder without a list: those of its test split, else all.

    Raises:
        DataListError: when there are none.
    """
    if find_class_folders(root, Section.TEST, naming):
        return read_tree(root, naming, Section.TEST).test
    entries = list_files(root, find_split(root, Section.TEST) or root, label=NO_LABEL, every=True)
    if not entries:
        raise DataListError("dataset_dir holds no files; give a folder with images.")
    return entries
