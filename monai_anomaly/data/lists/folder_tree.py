# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a folder tree ``<split>/<class>/...``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.files import list_files, list_folders
from monai_anomaly.data.lists.folder_names import POOL_NAMES, SPLITS, class_of
from monai_anomaly.data.lists.folder_summary import describe_folder
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["ClassFolders", "find_class_folders", "find_split", "read_tree"]


class ClassFolders(NamedTuple):
    """The folders of a split by class, None for one that is not there."""

    normal: Path | None
    abnormal: Path | None


def read_tree(root: Path, naming: Naming, section: Section) -> EntriesBySection:
    """Return the sections that the tree has; ``inference`` is always empty.

    Args:
        root: the folder that holds the splits.
        naming: how files and folders are called in messages.
        section: what will be taken of it. Training, and validation and normals without validation images, need normal
            training images; other sections do without. Files are listed as unlabeled for that section only, which alone
            does without any split.

    Raises:
        DataListError: for a tree with folders whose meaning is open, or whose folder of normal training images is empty
            and needed.
    """
    folders = {split: find_class_folders(root, split, naming) for split in SPLITS}
    pool = find_split(root, Section.UNLABELED) if section is Section.UNLABELED else None
    if not any(folders.values()) and pool is None:
        raise DataListError(
            "dataset_dir has neither dataset.json nor labels.csv nor train/normal, val/{normal,abnormal} or "
            f"test/{{normal,abnormal}}; add one of them. {describe_folder(root, naming)}"
        )
    _check_names(folders)
    training, validation, test = (_list_split(root, folders[split], split) for split in SPLITS)
    unlabeled = _list_pool(root, pool) if pool else []
    needed = section is Section.TRAINING or (section in (Section.VALIDATION, Section.NORMALS) and not validation)
    if needed and not training:
        _refuse_empty(root, folders[Section.TRAINING])
    return EntriesBySection(training, validation, test, unlabeled=unlabeled)


def _list_split(root: Path, folders: ClassFolders | None, split: Section) -> list[Entry]:
    """Return the images of a split, normal ones first; abnormal ones of training are not even listed."""
    normal, abnormal = folders or (None, None)
    entries = list_files(root, normal, label=0) if normal else []
    if abnormal and split is not Section.TRAINING:
        entries += list_files(root, abnormal, label=1)
    return entries


def _refuse_empty(root: Path, folders: ClassFolders | None) -> None:
    """Refuse a folder of normal training images without any; whether there must be one is for others to say."""
    if folders and folders.normal:
        place = folders.normal.relative_to(root).as_posix()
        raise DataListError(f"{place} holds no images; put the normal training images there.")


def _list_pool(root: Path, pool: Path) -> list[Entry]:
    """Return the files below the pool's folder, sorted by name; a folder in it is a patient unless it is a class."""
    entries = []
    for entry in list_files(root, pool, label=NO_LABEL):
        first, *below = Path(entry.name).relative_to(pool.relative_to(root)).parts
        label = class_of(first) if below else None
        if label is not None:
            entry = replace(entry, label=label, folder=below[0] if len(below) > 1 else None)
        entries.append(entry)
    return entries


def find_split(root: Path, section: Section) -> Path | None:
    """Return the folder of a split, None if there is none.

    Args:
        root: the folder that holds the splits.
        section: training, validation, test or unlabeled.

    Raises:
        DataListError: for two folders of one meaning.
    """
    names = POOL_NAMES if section is Section.UNLABELED else SPLITS[section]
    return _take_only([folder for folder in list_folders(root) if folder.name.lower() in names], root)


def find_class_folders(root: Path, section: Section, naming: Naming) -> ClassFolders | None:
    """Return the normal and the abnormal folder of a split.

    Args:
        root: the folder that holds the splits.
        section: training, validation or test.
        naming: how folders are called in messages.

    Returns:
        None when there is no such split or, for a test split only, it has no class folders (images to be scored).

    Raises:
        DataListError: for two folders of one meaning, or a folder without a known one.
    """
    split = find_split(root, section)
    if split is None:
        return None
    folders = list_folders(split)
    normal, abnormal = (
        _take_only([folder for folder in folders if class_of(folder.name) == label], root) for label in (0, 1)
    )
    if normal is None and abnormal is None:
        if section is Section.TEST:
            return None
        raise DataListError(
            f"{split.name} has no folder of normal images; name it {split.name}/normal (or good, benign, healthy). "
            f"{describe_folder(root, naming)}"
        )
    _refuse_unknown(root, split, folders, naming)
    return ClassFolders(normal, abnormal)


def _refuse_unknown(root: Path, split: Path, folders: Sequence[Path], naming: Naming) -> None:
    """Refuse folders of a split that are no class."""
    unknown = [number for number, folder in enumerate(folders) if class_of(folder.name) is None]
    if unknown:
        first = unknown[0]
        called = repr(folders[first].name) if naming.source_names else f"number {first + 1}, sorted by name,"
        raise DataListError(
            f"{len(unknown)} of the {len(folders)} folders in {split.name} are neither a normal nor an abnormal class "
            f"({called} is the first); rename them to normal or abnormal, or write a dataset.json. "
            f"{describe_folder(root, naming)}"
        )


def _take_only(folders: list[Path], root: Path) -> Path | None:
    """Return the only folder, None for no folder."""
    if len(folders) > 1:
        names = " and ".join(folder.relative_to(root).as_posix() for folder in folders)
        raise DataListError(f"{names} mean the same; keep one of them or write a dataset.json.")
    return folders[0] if folders else None


def _check_names(folders: Mapping[Section, ClassFolders | None]) -> None:
    """Refuse train/normal beside test/benign: a benign lesion is not a normal image."""
    for label in (0, 1):
        of_class = [pair[label] for pair in folders.values() if pair]
        used = {folder.name.lower() for folder in of_class if folder}
        if len(used) > 1:
            raise DataListError(
                f"the splits name the same class differently ({', '.join(sorted(used))}); use one name in all or "
                "write a dataset.json."
            )
