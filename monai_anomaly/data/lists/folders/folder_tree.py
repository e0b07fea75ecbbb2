# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a folder tree ``<split>/<class>/...``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.files import count_of_system, list_folders
from monai_anomaly.data.lists.folders.class_folders import ClassFolders, find_classes, is_class, take_only
from monai_anomaly.data.lists.folders.folder_entries import list_files, take_masks
from monai_anomaly.data.lists.folders.folder_names import EVERY, POOL_NAMES, SPLITS, class_of, section_of
from monai_anomaly.data.lists.folders.folder_summary import describe_folder
from monai_anomaly.data.lists.folders.parallel_masks import add_parallel_masks
from monai_anomaly.data.lists.folders.tally import OF_SYSTEM, Tally
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["find_class_folders", "find_split", "list_classes", "list_pool", "read_tree"]


def read_tree(
    root: Path, naming: Naming, section: Section, abnormal_folders: Sequence[str] = (), tally: Tally | None = None
) -> EntriesBySection:
    """Return the sections that the tree has; ``inference`` is always empty.

    Args:
        root: the folder that holds the splits.
        naming: how files and folders are called in messages.
        section: what will be taken of it. Training, and validation and normals without validation images, need normal
            training images; other sections do without. Files are listed as unlabeled for that section only, which alone
            does without any split.
        abnormal_folders: see :func:`~monai_anomaly.data.lists.folders.class_folders.find_classes`.
        tally: counts what is passed over.

    Raises:
        DataListError: for a tree with folders whose meaning is open, such as classes beside the splits, or whose folder
            of normal training images is empty and needed.
    """
    _refuse_mixed(root, naming, abnormal_folders)
    folders = {split: find_class_folders(root, split, naming, abnormal_folders) for split in SPLITS}
    pool = find_split(root, Section.UNLABELED) if section is Section.UNLABELED else None
    if not any(folders.values()) and pool is None:
        raise DataListError(
            "dataset_dir has neither dataset.json nor labels.csv nor train/normal, val/{normal,abnormal} or "
            "test/{normal,abnormal} nor, to be split by patients, normal and abnormal; add one of them. "
            f"{describe_folder(root, naming)}"
        )
    _check_names(folders, abnormal_folders)
    tally = tally or Tally()
    tally.at(None)[OF_SYSTEM] += count_of_system(root)
    training, validation, test = (_list_split(root, folders[split], split, naming, tally) for split in SPLITS)
    unlabeled = list_pool(root, pool, naming, tally) if pool else []
    needed = section is Section.TRAINING or (section in (Section.VALIDATION, Section.NORMALS) and not validation)
    if needed and not training:
        _refuse_empty(root, folders[Section.TRAINING])
    return EntriesBySection(training, validation, test, unlabeled=unlabeled)


def _refuse_mixed(root: Path, naming: Naming, abnormal_folders: Sequence[str]) -> None:
    """Refuse classes beside splits, whose images would be in no section."""
    splits = [folder.name for folder in list_folders(root) if section_of(folder.name) in SPLITS]
    classes = [folder.name for folder in list_folders(root) if is_class(folder.name, abnormal_folders)]
    if splits and classes:
        names = ", ".join(naming.folder(Path(name)) for name in classes)
        raise DataListError(
            f"dataset_dir has classes ({names}) beside splits ({', '.join(splits)}), and nothing says which split "
            "their images belong to; move the classes into the splits, or either of them away."
        )


def _list_split(root: Path, folders: ClassFolders | None, split: Section, naming: Naming, tally: Tally) -> list[Entry]:
    """Return the images of a split, normal ones first; abnormal ones of training are not even listed."""
    if folders is None:
        return []
    counts = tally.at(split)
    counts[OF_SYSTEM] += count_of_system(
        next(folder for folder in (folders.normal, *folders.abnormal) if folder).parent
    )
    listed = folders if split is not Section.TRAINING else folders._replace(abnormal=())
    return take_masks(list_classes(root, listed, naming, counts), split)


def list_classes(root: Path, folders: ClassFolders, naming: Naming, counts: Counter[str] | None = None) -> list[Entry]:
    """Return the images of class folders, normal ones first; what is passed over is added to the counts."""
    labeled = [(folders.normal, 0), *((folder, 1) for folder in folders.abnormal)]
    found = [(folder, label) for folder, label in labeled if folder]
    for folder, label in found:
        _refuse_class_in_normal(root, folder, label, naming)
    listed = [list_files(root, folder, label=label, naming=naming, counts=counts) for folder, label in found]
    entries = [entry for of_class in listed for entry in of_class]
    return add_parallel_masks(root, [folder for folder, _ in found], entries)


def _refuse_class_in_normal(root: Path, folder: Path, label: int, naming: Naming) -> None:
    """Refuse a folder of abnormal images in one of normal images, as which they would count."""
    below = [name for name in (each.name for each in list_folders(folder)) if class_of(name) == 1]
    if label == 0 and below:
        place = naming.folder(folder.relative_to(root))
        raise DataListError(
            f"{place} has the folder {below[0]}, whose images would count as normal; move it beside {folder.name}."
        )


def _refuse_empty(root: Path, folders: ClassFolders | None) -> None:
    """Refuse a folder of normal training images without any; whether there must be one is for others to say."""
    if folders and folders.normal:
        place = folders.normal.relative_to(root).as_posix()
        raise DataListError(f"{place} holds no images; put the normal training images there.")


def list_pool(root: Path, pool: Path, naming: Naming, tally: Tally) -> list[Entry]:
    """Return the files below the pool's folder, sorted by name; a folder in it is a patient unless it is a class."""
    entries = []
    for entry in list_files(root, pool, label=NO_LABEL, naming=naming, counts=tally.at(Section.UNLABELED)):
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
    return take_only([folder for folder in list_folders(root) if folder.name.lower() in names], root)


def find_class_folders(
    root: Path, section: Section, naming: Naming, abnormal_folders: Sequence[str] = ()
) -> ClassFolders | None:
    """Return the normal and the abnormal folders of a split.

    Args:
        root: the folder that holds the splits.
        section: training, validation or test.
        naming: how folders are called in messages.
        abnormal_folders: see :func:`~monai_anomaly.data.lists.folders.class_folders.find_classes`.

    Returns:
        None when there is no such split or, for a test split only, it has no class folders (images to be scored).

    Raises:
        DataListError: for two folders of one meaning, or a folder without a known one.
    """
    split = find_split(root, section)
    found = None if split is None else find_classes(root, split, naming, abnormal_folders)
    if split is not None and found is None and section is not Section.TEST:
        raise DataListError(
            f"{split.name} has no folder of normal images; name it {split.name}/normal (or good, benign, healthy). "
            f"{describe_folder(root, naming)}"
        )
    return found


def _check_names(folders: Mapping[Section, ClassFolders | None], abnormal_folders: Sequence[str]) -> None:
    """Refuse train/normal beside test/benign: a benign lesion is not a normal image; what the user named is clear."""
    found = [pair for pair in folders.values() if pair]
    normal = {pair.normal.name.lower() for pair in found if pair.normal}
    abnormal = {folder.name.lower() for pair in found for folder in pair.abnormal}.difference(abnormal_folders)
    for used in (normal, set() if EVERY in abnormal_folders else abnormal):
        if len(used) > 1:
            raise DataListError(
                f"the splits name the same class differently ({', '.join(sorted(used))}); use one name in all or "
                "write a dataset.json."
            )
