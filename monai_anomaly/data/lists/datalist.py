# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images train, validate and test: a MONAI data list, a table or a folder tree, checked before use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.checks import check_apart, check_both_classes, check_files
from monai_anomaly.data.lists.columns import COLUMN, check_columns, require_columns
from monai_anomaly.data.lists.csv_list import LABELS_NAME, read_labels
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.folders.folder_names import check_folders
from monai_anomaly.data.lists.folders.folder_tree import find_class_folders, read_tree
from monai_anomaly.data.lists.folders.plain_folder import (
    has_splits,
    is_plain_tree,
    list_normals,
    list_to_score,
    read_plain_tree,
)
from monai_anomaly.data.lists.json_list import LIST_NAME, read_list
from monai_anomaly.data.lists.left_out import ItemList, count_left_out
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES, check_shares
from monai_anomaly.data.lists.patients import add_patients, add_patients_of_pool
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection
from monai_anomaly.data.lists.selection import select_entries

__all__ = ["load_datalist", "load_labeled_pool"]

SPOILED_BY_POOL = (Section.UNLABELED, Section.VALIDATION, Section.TEST)
"""Sections that no patient of the pool may be in; for others the pool of a list or a table is not looked at."""


def load_datalist(
    dataset_dir: PathLike | str,
    section: Section | str,
    *,
    require_both: bool = False,
    seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    source_names: bool = False,
    columns: Sequence[str] = (),
    abnormal_folders: Sequence[str] | str = (),
) -> ItemList:
    """Return the items of one section of a data set.

    ``dataset_dir`` holds one of

    - ``dataset.json``, a MONAI data list with ``training``, ``validation`` and ``test``, each a list of ``{"image",
      "label", "group"?, "mask"?, "frame"?, "frames"?, ...}`` with paths relative to the folder;
    - ``labels.csv``, a table for a folder of DICOM; see :func:`~monai_anomaly.data.lists.csv_list.read_labels`;
    - the folders ``train/normal``, ``val/{normal,abnormal}`` and ``test/{normal,abnormal}``, whose names are matched
      without regard to case and with common synonyms;
    - the folders ``normal`` and ``abnormal`` alone: their patients are dealt out as those of a table without a split;
      see :func:`~monai_anomaly.data.lists.patient_split.split_patients`.

    The sections are

    - ``training``: the normal images only; abnormal ones are never opened.
    - ``validation``: where the data set has none, a tenth of the training groups, drawn by ``seed``, is held out.
    - ``test``: as given.
    - ``inference``: the list's ``inference`` section (in a table: the rows without label), else its ``test`` section;
      in a folder without a list, the files of ``test``, else every file; ``dataset_dir`` may be one file, too. A label
      that is not known is -1.
    - ``unlabeled``: the pool, images that a method may learn from and of which it is told nothing: the list's
      ``unlabeled`` (or ``unlabelled``) section, a table's rows with that split, a tree's files below the folder of that
      name, where a folder is a patient, in ``unlabeled/normal`` and ``unlabeled/abnormal`` too. A label may be given
      and is -1 in the items; a mask is left out. Empty where the data set has none, and part of no other section.
    - ``normals``: every image that is labeled normal in training or validation; in a folder without a list or class
      folders, every image. For a site that calibrates a detector which was trained elsewhere.

    A group is a patient: as the list says, else as DICOM headers say (see
    :func:`~monai_anomaly.data.lists.patients.add_patients`; not for ``inference``), else the folder of its own that the
    file has below a tree's class folder, else the file. A patient in two sections is refused, but for one in training
    and in the pool, who is in no result; a file in both is refused. Pool images of patients that are held out for
    validation are left out. The pool is checked when it is asked for, and that of a list or a table, by its own groups,
    with ``validation`` and ``test`` too; no header of the pool is read for another section.

    File names, folders and patients are hashed with this site's key (:mod:`monai_anomaly.utils.identity`): in items,
    messages and logs. Items keep the paths that are needed to open the files.

    Args:
        dataset_dir: the data set's folder; for ``inference`` a file may be given in its place.
        section: a :class:`~monai_anomaly.data.lists.section.Section` or its name.
        require_both: refuse a test section with one class.
        seed: decides which groups are held out, and the split of a table or a tree without one.
        split_shares: shares of training, validation and test in the split of a table or a tree without one.
        source_names: name files and groups as they are called; groups from a DICOM header stay hashed.
        columns: further columns of the list or the table to give with each item, as they are: name none that holds what
            a report must not show.
        abnormal_folders: a name or names of further class folders whose images are abnormal, such as ``["defect"]``, or
            ``"*"`` for every folder beside one of normal images; a list or a table needs none.

    Returns:
        Items with ``image`` (absolute path), ``name`` (stands for the path relative to the folder, with ``/``),
        ``label`` (0 normal, 1 abnormal), ``group`` (stands for the patient), ``index`` (0, 1, ...) and, where given,
        ``frame``, ``frames`` (a rule) and ``mask`` (absolute path; empty for normal images of a list that marks its
        abnormal ones); a text under ``column:NAME`` for each of `columns`, empty where the entry has none. The list has
        an attribute ``left_out``: how many images are not in it, by the reason.

    Raises:
        DataListError: whatever is wrong with the folder or the list; no pixel has been read by then.
        ConfigError: without a key for the hashes.
        ValueError: for an unknown section, shares that make no split, or what names no folders.
    """
    section = Section.of(section)
    folders = check_folders(abnormal_folders)
    naming = Naming(source_names, folders)
    request = _Request(section, naming, seed, check_shares(split_shares), columns, folders)
    root, entries, left_out = _load(dataset_dir, request)
    if section is Section.UNLABELED:
        entries = [replace(entry, label=NO_LABEL) for entry in entries]
    if section is Section.TEST and require_both:
        check_both_classes(entries)
    return ItemList((_item(root, entry, index, naming) for index, entry in enumerate(entries)), left_out)


def load_labeled_pool(
    dataset_dir: PathLike | str,
    *,
    seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    source_names: bool = False,
    abnormal_folders: Sequence[str] | str = (),
) -> tuple[ItemList, list[int]]:
    """Return the items of the section ``unlabeled`` and, apart from them, the label of each, for experiments.

    Args:
        dataset_dir: as in :func:`load_datalist`, whose items these are, with the label -1.
        seed: as there.
        split_shares: as there.
        source_names: as there.
        abnormal_folders: as there; folders in the pool keep their meaning.

    Returns:
        The items, and their labels, 0 normal or 1 abnormal, in the same order.

    Raises:
        DataListError: as there, or when an image of the pool has no label.
    """
    folders = check_folders(abnormal_folders)
    naming = Naming(source_names, folders)
    shares = check_shares(split_shares)
    request = _Request(Section.UNLABELED, naming, seed, shares, abnormal_folders=folders)
    root, entries, left_out = _load(dataset_dir, request)
    without = [entry for entry in entries if entry.label < 0]
    if without:
        raise DataListError(
            f"{len(without)} of {len(entries)} images of the pool have no label 0 or 1 ({naming.place(without[0])} "
            f"first), so no ratio of abnormal ones can be drawn; label all of them or leave anomaly_ratio out"
            f"{naming.hint}."
        )
    items = (_item(root, replace(entry, label=NO_LABEL), index, naming) for index, entry in enumerate(entries))
    return ItemList(items, left_out), [entry.label for entry in entries]


@dataclass(frozen=True)
class _Request:
    """What is asked of a data set; see :func:`load_datalist`."""

    section: Section
    naming: Naming
    seed: int
    split_shares: Sequence[float] = DEFAULT_SHARES
    columns: Sequence[str] = ()
    abnormal_folders: Sequence[str] = ()


def _load(dataset_dir: PathLike | str, request: _Request) -> tuple[Path, list[Entry], dict[str, int]]:
    """Return the data set's folder, one section's entries, checked, and what is left out of it."""
    root = Path(dataset_dir).expanduser().absolute()
    try:
        if root.is_file():
            return root.parent, _list_file(root, request), {}
        if not root.is_dir():
            raise DataListError(
                f"dataset_dir must be an existing folder; give the folder that holds {LIST_NAME}, {LABELS_NAME} or "
                "train/normal, or for inference any folder or file."
            )
        listed = _read_with_patients(root, replace(request, columns=check_columns(request.columns)))
        check_apart(listed, request.naming)
        entries = select_entries(listed, request.section, request.seed)
        require_columns(entries, request.columns)
        if request.section is not Section.INFERENCE:  # there, a file that is not there is a record like any other
            check_files(root, entries, request.naming)
        left_out = count_left_out(listed, request.section, entries, _abnormal_training_folders(root, request))
    except OSError as error:  # its own text has the path
        raise DataListError(f"dataset_dir cannot be read ({error.strerror}); grant permission to read it.") from None
    return root, entries, left_out


def _abnormal_training_folders(root: Path, request: _Request) -> tuple[Path, ...]:
    """Return a tree's folders of abnormal training images; none where a list or a table has them."""
    if request.section is not Section.TRAINING or _has_table(root) or (root / LIST_NAME).is_file():
        return ()
    folders = find_class_folders(root, Section.TRAINING, request.naming, request.abnormal_folders)
    return () if folders is None else tuple(folders.abnormal)


def _list_file(path: Path, request: _Request) -> list[Entry]:
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


def _read_with_patients(root: Path, request: _Request) -> EntriesBySection:
    """Return all sections as listed, with the patients that the section that is asked for needs."""
    if _has_table(root):
        listed = _read_table(root, request)
    elif _is_plain_tree(root, request):
        return _read_plain_tree(root, request)
    else:
        listed = _read_list_or_folder(root, request)
        if request.section is not Section.INFERENCE:
            listed = add_patients(root, listed)
    return add_patients_of_pool(root, listed) if request.section is Section.UNLABELED else listed


def _has_table(root: Path) -> bool:
    """Return whether the data set is a table; refuse one that is a list, too."""
    has_table = (root / LABELS_NAME).is_file()
    if has_table and (root / LIST_NAME).is_file():
        raise DataListError(f"dataset_dir has {LIST_NAME} and {LABELS_NAME}; keep one.")
    return has_table


def _read_table(root: Path, request: _Request) -> EntriesBySection:
    """Return the sections of ``labels.csv``; whole patients may be dealt out there, so that it knows them."""
    return read_labels(
        root,
        request.naming,
        seed=request.seed,
        shares=request.split_shares,
        columns=request.columns,
        pool=request.section in SPOILED_BY_POOL,
        quiet=request.section is Section.VALIDATION,  # the training that it is of has said it
    )


def _is_plain_tree(root: Path, request: _Request) -> bool:
    """Return whether class folders without splits are all that says what the images are, and that has to be known."""
    listed = (root / LIST_NAME).is_file()
    return not listed and request.section is not Section.INFERENCE and is_plain_tree(root, request.abnormal_folders)


def _read_plain_tree(root: Path, request: _Request) -> EntriesBySection:
    """Return the sections of class folders without splits, with all patients."""
    return read_plain_tree(
        root,
        request.naming,
        seed=request.seed,
        shares=request.split_shares,
        abnormal_folders=request.abnormal_folders,
        pool=request.section is Section.UNLABELED,
        quiet=request.section is Section.VALIDATION,
    )


def _read_list_or_folder(root: Path, request: _Request) -> EntriesBySection:
    """Return the sections of ``dataset.json``, of a folder tree or of a folder without any order."""
    section, naming, folders = request.section, request.naming, request.abnormal_folders
    if (root / LIST_NAME).is_file():
        return read_list(root, naming, request.columns, pool=section in SPOILED_BY_POOL)
    if section is Section.INFERENCE:
        return EntriesBySection(inference=list_to_score(root, naming, folders))
    if section is Section.NORMALS and not has_splits(root):
        return EntriesBySection(training=list_normals(root))
    return read_tree(root, naming, section, folders)


def _item(root: Path, entry: Entry, index: int, naming: Naming) -> dict[str, Any]:
    """Return what leaves this module about an entry."""
    item: dict[str, Any] = {
        "image": str(root / entry.name),
        "name": naming.file(entry.name),
        "label": entry.label,
        "group": naming.patient(entry),
        "index": index,
    }
    if entry.mask is not None:
        item["mask"] = str(root / entry.mask) if entry.mask else ""
    if entry.frame is not None:
        item["frame"] = entry.frame
    if entry.frames is not None:
        item["frames"] = entry.frames
    item.update((f"{COLUMN}{name}", value) for name, value in entry.columns)
    return item
