# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images train, validate and test: a MONAI data list, a table or a folder tree, checked before use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.checks import check_both_classes
from monai_anomaly.data.lists.columns import COLUMN
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.forms import load_entries
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES
from monai_anomaly.data.lists.request import make_request
from monai_anomaly.data.lists.section import Section

__all__ = ["load_datalist", "load_labeled_pool"]


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
    allow_outside: Sequence[PathLike | str] | PathLike | str | None = None,
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
        allow_outside: a folder or folders that a list or a table may point to besides its own.

    Returns:
        Items with ``image`` (absolute path), ``name`` (stands for the path relative to the folder, with ``/``),
        ``label`` (0 normal, 1 abnormal), ``group`` (stands for the patient), ``index`` (0, 1, ...) and, where given,
        ``frame``, ``frames`` (a rule) and ``mask`` (absolute path, or a list of several that are joined; empty for
        normal images where abnormal ones have masks); a text under ``column:NAME`` for each of `columns`, empty where
        the entry has none. The list has an attribute ``left_out``: how many images and other files are not in it, by
        the reason.

    Raises:
        DataListError: whatever is wrong with the folder or the list; no pixel has been read by then.
        ConfigError: without a key for the hashes.
        ValueError: for an unknown section, shares that make no split, or what names no folders.
    """
    request = make_request(
        section,
        seed=seed,
        split_shares=split_shares,
        source_names=source_names,
        columns=columns,
        abnormal_folders=abnormal_folders,
        allow_outside=allow_outside,
    )
    root, entries, left_out = load_entries(_absolute(dataset_dir), request)
    if request.section is Section.UNLABELED:
        entries = [replace(entry, label=NO_LABEL) for entry in entries]
    if request.section is Section.TEST and require_both:
        check_both_classes(entries)
    return ItemList((_item(root, entry, index, request.naming) for index, entry in enumerate(entries)), left_out)


def load_labeled_pool(
    dataset_dir: PathLike | str,
    *,
    seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    source_names: bool = False,
    abnormal_folders: Sequence[str] | str = (),
    allow_outside: Sequence[PathLike | str] | PathLike | str | None = None,
) -> tuple[ItemList, list[int]]:
    """Return the items of the section ``unlabeled`` and, apart from them, the label of each, for experiments.

    Args:
        dataset_dir: as in :func:`load_datalist`, whose items these are, with the label -1.
        seed: as there.
        split_shares: as there.
        source_names: as there.
        abnormal_folders: as there; folders in the pool keep their meaning.
        allow_outside: as there.

    Returns:
        The items, and their labels, 0 normal or 1 abnormal, in the same order.

    Raises:
        DataListError: as there, or when an image of the pool has no label.
    """
    request = make_request(
        Section.UNLABELED,
        seed=seed,
        split_shares=split_shares,
        source_names=source_names,
        abnormal_folders=abnormal_folders,
        allow_outside=allow_outside,
    )
    naming = request.naming
    root, entries, left_out = load_entries(_absolute(dataset_dir), request)
    without = [entry for entry in entries if entry.label < 0]
    if without:
        raise DataListError(
            f"{len(without)} of {len(entries)} images of the pool have no label 0 or 1 ({naming.place(without[0])} "
            f"first), so no ratio of abnormal ones can be drawn; label all of them or leave anomaly_ratio out"
            f"{naming.hint}."
        )
    items = (_item(root, replace(entry, label=NO_LABEL), index, naming) for index, entry in enumerate(entries))
    return ItemList(items, left_out), [entry.label for entry in entries]


def _absolute(dataset_dir: PathLike | str) -> Path:
    return Path(dataset_dir).expanduser().absolute()


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
        masks = [str(root / mask) for mask in (entry.mask, *entry.more_masks) if mask]
        item["mask"] = masks if len(masks) > 1 else "".join(masks)
    if entry.frame is not None:
        item["frame"] = entry.frame
    if entry.frames is not None:
        item["frames"] = entry.frames
    item.update((f"{COLUMN}{name}", value) for name, value in entry.columns)
    return item
