# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images train, validate and test: a MONAI data list, a table or a folder tree, checked before use."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.columns import COLUMN, check_columns, require_columns
from monai_anomaly.data.lists.csv_list import LABELS_NAME, read_labels
from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.folder_names import POOL, SPLITS, class_of
from monai_anomaly.data.lists.folder_tree import find_class_folders, find_split, list_files, read_tree
from monai_anomaly.data.lists.json_list import LIST_NAME, read_list
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES, check_shares
from monai_anomaly.data.lists.patients import add_patients

__all__ = ["SECTIONS", "load_datalist", "load_labeled_pool"]

SECTIONS = ("training", "validation", "test", "inference", "normals", POOL)
"""What :func:`load_datalist` can return."""

HELD_OUT = 0.1
CHECKED = (POOL, "validation", "test")
"""Sections that no patient of the pool may spoil; with others the pool is not looked at."""

logger = logging.getLogger(__name__)


def load_datalist(
    dataset_dir: PathLike | str,
    section: str,
    *,
    require_both: bool = False,
    seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    source_names: bool = False,
    columns: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the items of one section of a data set.

    ``dataset_dir`` holds one of

    - ``dataset.json``, a MONAI data list with ``training``, ``validation`` and ``test``, each a list of ``{"image",
      "label", "group"?, "mask"?, "frame"?, "frames"?, ...}`` with paths relative to the folder;
    - ``labels.csv``, a table for a folder of DICOM; see :func:`~monai_anomaly.data.lists.csv_list.read_labels`;
    - the folders ``train/normal``, ``val/{normal,abnormal}`` and ``test/{normal,abnormal}``, whose names are matched
      without regard to case and with common synonyms.

    The sections are

    - ``training``: the normal images only; abnormal ones are never opened.
    - ``validation``: where the data set has none, a tenth of the training groups, drawn by ``seed``, is held out.
    - ``test``: as given.
    - ``inference``: the list's ``inference`` section (in a table: the rows without label), else its ``test`` section;
      in a folder without a list, the files of ``test``, else every file. A label that is not known is -1.
    - ``unlabeled``: the pool, images that a method may learn from and of which it is told nothing: the list's
      ``unlabeled`` (or ``unlabelled``) section, a table's rows with that split, a tree's files below the folder of that
      name, where a folder is a patient, in ``unlabeled/normal`` and ``unlabeled/abnormal`` too. A label may be given
      and is -1 in the items; a mask is left out. Empty where the data set has none, and part of no other section.
    - ``normals``: every image that is labeled normal in training or validation; in a folder without a list or a tree,
      every image. For a site that calibrates a detector which was trained elsewhere.

    A group is a patient: as the list says, else as DICOM headers say (see
    :func:`~monai_anomaly.data.lists.patients.add_patients`; not for ``inference``), else the folder of its own that the
    file has below a tree's class folder, else the file. A patient in two sections is refused, but for one in training
    and in the pool, who is in no result; a file in both is refused. Pool images of patients that are held out for
    validation are left out. The pool is checked when it is asked for, and that of a list or a table, by its own groups,
    with ``validation`` and ``test`` too; no header of the pool is read for another section.

    File names, folders and patients are hashed with this site's key (:mod:`monai_anomaly.utils.identity`): in items,
    messages and logs. Items keep the paths that are needed to open the files.

    Args:
        dataset_dir: the data set's folder.
        section: one of ``training``, ``validation``, ``test``, ``inference``, ``normals`` and ``unlabeled``.
        require_both: refuse a test section with one class.
        seed: decides which groups are held out, and the split of a table without one.
        split_shares: shares of training, validation and test in the split of a table without one.
        source_names: name files and groups as they are called; groups from a DICOM header stay hashed.
        columns: further columns of the list or the table to give with each item, as they are: name none that holds what
            a report must not show.

    Returns:
        Items with ``image`` (absolute path), ``name`` (stands for the path relative to the folder, with ``/``),
        ``label`` (0 normal, 1 abnormal), ``group`` (stands for the patient), ``index`` (0, 1, ...) and, where given,
        ``frame``, ``frames`` (a rule) and ``mask`` (absolute path; empty for normal images of a list that marks its
        abnormal ones); a text under ``column:NAME`` for each of `columns`, empty where the entry has none.

    Raises:
        DataListError: whatever is wrong with the folder or the list; no pixel has been read by then.
        ConfigError: without a key for the hashes.
        ValueError: for an unknown section, or shares that make no split.
    """
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {', '.join(SECTIONS)}, got {section!r}.")
    naming = Naming(source_names)
    root, entries = _load(dataset_dir, section, naming, seed, check_shares(split_shares), columns)
    if section == POOL:
        entries = [replace(entry, label=-1) for entry in entries]
    if section == "test" and require_both:
        _require_both(entries)
    return [_item(root, entry, index, naming) for index, entry in enumerate(entries)]


def load_labeled_pool(
    dataset_dir: PathLike | str, *, seed: int = 0, source_names: bool = False
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the items of the section ``unlabeled`` and, apart from them, the label of each, for experiments.

    Args:
        dataset_dir: as in :func:`load_datalist`, whose items these are, with the label -1.
        seed: as there.
        source_names: as there.

    Returns:
        The items, and their labels, 0 normal or 1 abnormal, in the same order.

    Raises:
        DataListError: as there, or when an image of the pool has no label.
    """
    naming = Naming(source_names)
    root, entries = _load(dataset_dir, POOL, naming, seed, DEFAULT_SHARES, ())
    without = [entry for entry in entries if entry.label < 0]
    if without:
        raise DataListError(
            f"{len(without)} of {len(entries)} images of the pool have no label 0 or 1 ({naming.place(without[0])} "
            f"first), so no ratio of abnormal ones can be drawn; label all of them or leave anomaly_ratio out"
            f"{naming.hint}."
        )
    items = [_item(root, replace(entry, label=-1), index, naming) for index, entry in enumerate(entries)]
    return items, [entry.label for entry in entries]


def _load(
    dataset_dir: PathLike | str,
    section: str,
    naming: Naming,
    seed: int,
    shares: Sequence[float],
    columns: Sequence[str],
) -> tuple[Path, list[Entry]]:
    """Return the data set's folder and one section's entries, checked."""
    root = Path(dataset_dir).expanduser().absolute()
    if not root.is_dir():
        raise DataListError(
            f"dataset_dir must be an existing folder; give the folder that holds {LIST_NAME}, {LABELS_NAME} or "
            "train/normal."
        )
    try:
        sections = _read(root, section, naming, seed, shares, check_columns(columns))
        _check_splits(sections, naming)
        entries = _select(sections, section, seed)
        require_columns(entries, columns)
        if section != "inference":  # there, a file that is not there is a record like any other
            _check_files(root, entries, naming)
    except OSError as error:  # its own text has the path
        raise DataListError(f"dataset_dir cannot be read ({error.strerror}); grant permission to read it.") from None
    return root, entries


def _read(
    root: Path, section: str, naming: Naming, seed: int, shares: Sequence[float], columns: Sequence[str]
) -> dict[str, list[Entry]]:
    """Return all sections as listed, with the patients that a section needs."""
    if (root / LIST_NAME).is_file():
        if (root / LABELS_NAME).is_file():
            raise DataListError(f"dataset_dir has {LIST_NAME} and {LABELS_NAME}; keep one.")
        sections = read_list(root, naming, columns, pool=section in CHECKED)
    elif (root / LABELS_NAME).is_file():
        sections = read_labels(root, naming, seed=seed, shares=shares, columns=columns)
        sections[POOL] = sections[POOL] if section in CHECKED else []
        return _add_pool_patients(root, sections) if section == POOL else sections
    elif section == "inference":
        return {"training": [], "validation": [], "test": [], "inference": _find_inference(root, naming)}
    elif section == "normals" and not any(find_split(root, split) for split in (*SPLITS, POOL)):
        sections = {"training": _find_normals(root), "validation": [], "test": []}
    else:
        sections = read_tree(root, naming, section)
    if section == "inference":
        return sections
    sections = add_patients(root, sections)
    return _add_pool_patients(root, sections) if section == POOL else sections


def _add_pool_patients(root: Path, sections: dict[str, list[Entry]]) -> dict[str, list[Entry]]:
    """Give the pool's entries their patients; the other sections stay as they are.

    Headers are compared with those of all sections: a Patient ID that the whole pool shares may be one test patient's.
    """
    if not sections[POOL]:
        return sections
    others = {
        split: [replace(entry, group=None, private=False) if entry.private else entry for entry in sections[split]]
        for split in SPLITS
    }
    found = add_patients(root, {**others, "test": [*others["test"], *sections[POOL]]})["test"]
    return {**sections, POOL: found[len(others["test"]) :]}


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


def _select(sections: dict[str, list[Entry]], section: str, seed: int) -> list[Entry]:
    """Return one section's entries."""
    if section == "inference":
        entries = sections["inference"] or sections["test"]
        if not entries:
            raise DataListError("the data list has nothing to be scored; add inference or test entries.")
        return [replace(entry, mask=None) for entry in entries]
    if section == "normals":
        return _select_normals(sections)
    if section == POOL:
        return _select_pool(sections, seed)
    if section == "test":
        if not sections["test"]:
            raise DataListError(
                'the data set has no test images; add a "test" section to dataset.json, test rows to labels.csv or the '
                "folders test/normal and test/abnormal."
            )
        return sections["test"]
    if section == "validation" and sections["validation"]:
        return sections["validation"]
    normals = [entry for entry in sections["training"] if entry.label == 0]
    if not normals:
        raise DataListError(
            "the data set has no normal training images; put normal images into train/normal, or list them with label "
            '0 under "training" in dataset.json or with split train in labels.csv.'
        )
    if sections["validation"]:
        return normals
    return _hold_out(normals, section, seed)


def _select_normals(sections: dict[str, list[Entry]]) -> list[Entry]:
    """Return the normal images of training and validation, of which no mask is needed."""
    both = [*sections["training"], *sections["validation"]]
    normals = [replace(entry, mask=None) for entry in both if entry.label == 0]
    if not normals:
        raise DataListError(
            "the data set has no normal images in training or validation; list them there with label 0, put them into "
            "train/normal, or give a folder that holds nothing but normal images."
        )
    return normals


def _select_pool(sections: dict[str, list[Entry]], seed: int) -> list[Entry]:
    """Return the pool without the patients that are held out of training for validation."""
    pool = sections[POOL]
    if sections["validation"]:
        return pool
    held = _draw_groups([entry for entry in sections["training"] if entry.label == 0], seed)
    left = [entry for entry in pool if entry.patient not in held]
    if len(left) < len(pool):
        logger.warning(
            "%d of %d images of the pool are left out: their patients are held out for validation.",
            len(pool) - len(left),
            len(pool),
        )
    return left


def _draw_groups(normals: list[Entry], seed: int) -> Collection[str]:
    """Return the groups of the training normals that are held out for validation; none of a single one."""
    groups = list(dict.fromkeys(entry.patient for entry in normals))  # in the list's order, whatever they are called
    if len(groups) < 2:
        return ()
    count = max(1, round(HELD_OUT * len(groups)))
    return {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}


def _hold_out(normals: list[Entry], section: str, seed: int) -> list[Entry]:
    """Split the training normals by group; returns the part for training or validation."""
    chosen = _draw_groups(normals, seed)
    if not chosen:
        if section == "training":
            return normals
        raise DataListError(
            "the data set has no validation images and its training images form one group, so none can be held out; "
            "add a validation section or more groups."
        )
    held = [entry for entry in normals if (entry.patient in chosen) == (section == "validation")]
    logger.warning(
        "No validation section: %d of %d training groups are held out for it (seed %d); %s has %d images.",
        len(chosen),
        len({entry.patient for entry in normals}),
        seed,
        section,
        len(held),
    )
    return held


def _check_splits(sections: dict[str, list[Entry]], naming: Naming) -> None:
    """Refuses a patient or a file that is in two sections, but for a patient in training and in the pool."""
    patients: dict[str, tuple[str, Entry]] = {}
    files: dict[str, tuple[str, Entry]] = {}
    for section in (*SPLITS, POOL):
        for entry in sections.get(section, ()):
            for kind, seen, key in (("file", files, entry.name), ("group", patients, entry.patient)):
                other, first = seen.setdefault(key, (section, entry))
                if other != section and (kind, other, section) != ("group", "training", POOL):
                    who = "" if kind == "file" else f" {naming.patient(entry)!r}"
                    raise DataListError(
                        f"the {kind}{who} is in {other} and in {section}: {naming.place(first)} and "
                        f"{naming.place(entry)}; keep each patient in one section{naming.hint}. A group is what the "
                        "list says, else the DICOM header's patient or study, else a folder below a class folder."
                    )


def _check_files(root: Path, entries: list[Entry], naming: Naming) -> None:
    """Refuses entries whose image or mask is not there."""
    for entry in entries:
        for what, name in (("image", entry.name), ("mask", entry.mask)):
            if name and not (root / name).is_file():
                called = f" {name!r}" if naming.source_names else ""
                raise DataListError(
                    f"the {what}{called} of {naming.place(entry)} does not exist; add the file or remove the entry."
                )


def _require_both(entries: list[Entry]) -> None:
    """Refuses a test section with one class."""
    labels = {entry.label for entry in entries}
    if labels != {0, 1}:
        missing = "abnormal" if 0 in labels else "normal"
        raise DataListError(
            f"the test section has no {missing} images, and the AUC is undefined with one class; add {missing} test "
            "images or run inference.json, which needs no labels."
        )


def _find_normals(root: Path) -> list[Entry]:
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


def _find_inference(root: Path, naming: Naming) -> list[Entry]:
    """Return the files of a folder without a list: those of its test split, else all."""
    if find_class_folders(root, "test", naming):
        return read_tree(root, naming)["test"]
    entries = list_files(root, find_split(root, "test") or root, label=-1, every=True)
    if not entries:
        raise DataListError("dataset_dir holds no files; give a folder with images.")
    return entries
