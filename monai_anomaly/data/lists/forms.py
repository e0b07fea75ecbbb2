# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The forms that a data set may have: a list, a table, a folder tree, a folder or a file."""

from __future__ import annotations

from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.checks import check_apart, check_files, refuse_helpers
from monai_anomaly.data.lists.columns import require_columns
from monai_anomaly.data.lists.csv_list import LABELS_NAME, read_labels
from monai_anomaly.data.lists.entries import NO_LABEL, Entry
from monai_anomaly.data.lists.folders.folder_tree import find_class_folders, read_tree
from monai_anomaly.data.lists.folders.plain_folder import (
    has_splits,
    is_plain_tree,
    list_normals,
    list_to_score,
    read_plain_tree,
)
from monai_anomaly.data.lists.folders.tally import Tally
from monai_anomaly.data.lists.json_list import LIST_NAME, read_list
from monai_anomaly.data.lists.left_out import count_left_out
from monai_anomaly.data.lists.listed_paths import ListedPaths
from monai_anomaly.data.lists.patients import add_patients, add_patients_of_pool
from monai_anomaly.data.lists.request import SPOILED_BY_POOL, Request
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection
from monai_anomaly.data.lists.selection import select_entries

__all__ = ["load_entries"]


def load_entries(root: Path, request: Request) -> tuple[Path, list[Entry], dict[str, int]]:
    """Return the data set's folder, one section's entries, checked, and what is left out of it.

    Args:
        root: the data set's folder, absolute; for inference a file may be given in its place.
        request: what is asked.

    Raises:
        DataListError: whatever is wrong with it.
    """
    try:
        if root.is_file():
            return root.parent, _list_file(root, request), {}
        if not root.is_dir():
            raise DataListError(
                f"dataset_dir must be an existing folder; give the folder that holds {LIST_NAME}, {LABELS_NAME} or "
                "train/normal, or for inference any folder or file."
            )
        return root, *_load_folder(root, request)
    except OSError as error:  # its own text has the path
        raise DataListError(f"dataset_dir cannot be read ({error.strerror}); grant permission to read it.") from None


def _load_folder(root: Path, request: Request) -> tuple[list[Entry], dict[str, int]]:
    tally = Tally()
    listed = _read_with_patients(root, request, tally)
    check_apart(listed, request.naming)
    entries = select_entries(listed, request.section, request.seed)
    require_columns(entries, request.columns)
    if request.section is not Section.INFERENCE:  # there, a file that is not there is a record like any other
        check_files(root, entries, request.naming)
    return entries, count_left_out(listed, request.section, entries, _abnormal_training_folders(root, request), tally)


def _abnormal_training_folders(root: Path, request: Request) -> tuple[Path, ...]:
    """Return a tree's folders of abnormal training images; none where a list or a table has them."""
    if request.section is not Section.TRAINING or _has_table(root) or (root / LIST_NAME).is_file():
        return ()
    folders = find_class_folders(root, Section.TRAINING, request.naming, request.abnormal_folders)
    return () if folders is None else tuple(folders.abnormal)


def _list_file(path: Path, request: Request) -> list[Entry]:
    """Return the entry of the one file that is given in place of a folder, which can only be scored."""
    if request.section is not Section.INFERENCE:
        raise DataListError(
            f"dataset_dir is a file, which only inference takes; give the folder that holds {LIST_NAME}, {LABELS_NAME} "
            "or train/normal."
        )
    if path.name in (LIST_NAME, LABELS_NAME):
        raise DataListError(f"dataset_dir is a {path.name}; give the folder that holds it.")
    entries = [Entry(name=path.name, where="dataset_dir", label=NO_LABEL)]
    require_columns(entries, request.columns)
    return entries


def _read_with_patients(root: Path, request: Request, tally: Tally) -> EntriesBySection:
    """Return all sections as listed, with the patients that the section that is asked for needs."""
    if _has_table(root):
        listed = _read_table(root, request)
    elif _is_plain_tree(root, request):
        return _read_plain_tree(root, request, tally)
    else:
        listed = _read_list(root, request) if (root / LIST_NAME).is_file() else _read_folder(root, request, tally)
        if request.section is not Section.INFERENCE:
            listed = add_patients(root, listed)
    return add_patients_of_pool(root, listed) if request.section is Section.UNLABELED else listed


def _has_table(root: Path) -> bool:
    """Return whether the data set is a table; refuse one that is a list, too."""
    has_table = (root / LABELS_NAME).is_file()
    if has_table and (root / LIST_NAME).is_file():
        raise DataListError(f"dataset_dir has {LIST_NAME} and {LABELS_NAME}; keep one.")
    return has_table


def _read_table(root: Path, request: Request) -> EntriesBySection:
    """Return the sections of ``labels.csv``; whole patients may be dealt out there, so that it knows them."""
    paths = ListedPaths(root, request.naming, request.allowed)
    listed = read_labels(
        root,
        request.naming,
        paths,
        seed=request.seed,
        shares=request.split_shares,
        columns=request.columns,
        pool=request.section in SPOILED_BY_POOL,
        quiet=request.section is Section.VALIDATION,  # the training that it is of has said it
    )
    return _checked(root, listed, paths, request, LABELS_NAME)


def _read_list(root: Path, request: Request) -> EntriesBySection:
    """Return the sections of ``dataset.json``."""
    paths = ListedPaths(root, request.naming, request.allowed)
    listed = read_list(root, request.naming, paths, request.columns, pool=request.section in SPOILED_BY_POOL)
    return _checked(root, listed, paths, request, LIST_NAME)


def _checked(root: Path, listed: EntriesBySection, paths: ListedPaths, request: Request, name: str) -> EntriesBySection:
    """Return what a list or a table has, in which no image is a helper of another."""
    paths.report(name)
    refuse_helpers(root, listed, request.naming)
    return listed


def _is_plain_tree(root: Path, request: Request) -> bool:
    """Return whether class folders without splits are all that says what the images are, and that has to be known."""
    listed = (root / LIST_NAME).is_file()
    return not listed and request.section is not Section.INFERENCE and is_plain_tree(root, request.abnormal_folders)


def _read_plain_tree(root: Path, request: Request, tally: Tally) -> EntriesBySection:
    """Return the sections of class folders without splits, with all patients."""
    return read_plain_tree(
        root,
        request.naming,
        seed=request.seed,
        shares=request.split_shares,
        abnormal_folders=request.abnormal_folders,
        pool=request.section is Section.UNLABELED,
        quiet=request.section is Section.VALIDATION,
        tally=tally,
    )


def _read_folder(root: Path, request: Request, tally: Tally) -> EntriesBySection:
    """Return the sections of a folder tree or of a folder without any order."""
    if request.section is Section.INFERENCE:
        return EntriesBySection(inference=list_to_score(root, request.naming, request.abnormal_folders, tally))
    if request.section is Section.NORMALS and not has_splits(root):
        return EntriesBySection(training=list_normals(root, tally))
    return read_tree(root, request.naming, request.section, request.abnormal_folders, tally)
