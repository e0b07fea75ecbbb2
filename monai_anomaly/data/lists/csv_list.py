# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads ``labels.csv``: a table of labels for a folder of images whose files lie as the archive exported them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.lists.columns import read_columns
from monai_anomaly.data.lists.csv_table import Row, read_table
from monai_anomaly.data.lists.entries import (
    Entry,
    Naming,
    check_frames,
    fill_masks,
    parse_label,
    refuse_repeats,
    resolve_inside,
)
from monai_anomaly.data.lists.folder_names import POOL, is_no_image, section_of
from monai_anomaly.data.lists.folder_tree import walk_files
from monai_anomaly.data.lists.patient_split import split_patients
from monai_anomaly.data.lists.patients import add_patients, read_names

__all__ = ["LABELS_NAME", "read_labels"]

LABELS_NAME = "labels.csv"
KEYS = {"file": "", "sop_instance_uid": "SOPInstanceUID", "study_instance_uid": "StudyInstanceUID"}
"""Columns that say which image a row is about, with the DICOM element that they stand for."""

COLUMNS = (*KEYS, "label", "split", "group", "mask", "frame", "frames")
WHOLE = re.compile(r"\d{1,7}(\.0)?")
logger = logging.getLogger(__name__)


@dataclass
class _Folder:
    """The images of the folder: by what the table calls them, and how many it could call nothing."""

    files: set[str]
    by_key: dict[str, list[str]] = field(default_factory=dict)
    unreadable: int = 0


def read_labels(
    root: Path, naming: Naming, *, seed: int, shares: Sequence[float], columns: Sequence[str] = ()
) -> dict[str, list[Entry]]:
    """Return the sections ``training``, ``validation``, ``test``, ``inference`` and ``unlabeled``.

    ``inference`` are the rows without a label, ``unlabeled`` those with this split (or ``unlabelled``), whose labels
    may be anything (-1 where they are neither class) and whose masks are left out; they are in no other section, and
    have the table's groups only.

    The table has exactly one of the columns ``file`` (path relative to the folder), ``sop_instance_uid`` and
    ``study_instance_uid`` (every image of the study), and ``label``; optionally ``split``, ``group``, ``mask``,
    ``frame`` and ``frames``. Without ``split`` whole patients are dealt out; see
    :func:`~monai_anomaly.data.lists.patient_split.split_patients`.

    Args:
        root: the folder that holds ``labels.csv``.
        naming: how files are called in messages.
        seed: draws the split.
        shares: of training, validation and test.
        columns: further columns to keep; upper and lower case do not matter.

    Raises:
        DataListError: whatever is wrong with the table, or rows that match no file.
    """
    rows = read_table(root / LABELS_NAME, (*COLUMNS, *(column.lower() for column in columns)), "label")
    keys = [key for key in KEYS if key in rows[0].values]
    if len(keys) != 1:
        raise DataListError(
            f"{LABELS_NAME} must have exactly one of the columns {', '.join(KEYS)}, it has {len(keys)}; "
            "name the images in one way."
        )
    folder = _list_folder(root, keys[0])
    entries = _match(root, rows, keys[0], folder, naming, columns)
    refuse_repeats(entries, naming)
    _report_unused(entries, folder)
    pool = _pool(entries, rows)
    left_out = {entry.where for entry in pool}
    entries = [entry for entry in entries if entry.where not in left_out]
    if "split" in rows[0].values:
        sections = add_patients(root, _by_column(entries, rows))
    else:
        labeled = add_patients(root, {"test": [entry for entry in entries if entry.label >= 0]})["test"]
        sections = split_patients(labeled, seed=seed, shares=shares)
    sections["inference"] = [entry for entry in entries if entry.label < 0]
    return {section: fill_masks(found, naming) for section, found in sections.items()} | {POOL: pool}


def _match(
    root: Path, rows: Sequence[Row], key: str, folder: _Folder, naming: Naming, columns: Sequence[str]
) -> list[Entry]:
    """Return the entries of all rows, sorted by name, so that the order of the rows does not matter."""
    _refuse_repeated_rows(rows, key)
    entries: list[Entry] = []
    unmatched: list[int] = []
    for row in rows:
        read = replace(_read_row(root, row, naming), columns=read_columns(row.values, columns, LABELS_NAME))
        files = _files(root, row, key, folder, naming)
        entries += [replace(read, name=name) for name in files]
        if not files:
            unmatched.append(row.line)
    if unmatched:
        what = f"headers of {folder.unreadable} files could not be read; " if folder.unreadable else ""
        raise DataListError(
            f"{len(unmatched)} rows of {LABELS_NAME} match no file below dataset_dir (line {unmatched[0]} first); "
            f"{what}correct or remove the rows, or add the files."
        )
    return sorted(entries, key=lambda entry: (entry.name, -1 if entry.frame is None else entry.frame))


def _read_row(root: Path, row: Row, naming: Naming) -> Entry:
    """Return what a row says, still without its file."""
    where = f"line {row.line} of {LABELS_NAME}"
    text = row.values.get("label", "")
    label = parse_label(text) if text else -1
    if label is None and _in_pool(row):
        label = -1
    if label is None:
        raise DataListError(
            f"label of {where} must be 0 or normal, 1 or abnormal, or empty for an image that is only to be scored"
            f"{naming.got(text)}; correct it (benign may be a finding: write 0 or 1)."
        )
    number = row.values.get("frame") or None
    if number is not None and not WHOLE.fullmatch(number):
        raise DataListError(f"frame of {where} must be a whole number from 0{naming.got(number)}; correct it.")
    frame, frames = check_frames(
        where, None if number is None else int(float(number)), row.values.get("frames") or None, naming
    )
    mask = row.values.get("mask") or None
    if mask is not None:
        mask = _inside(root, mask, f"mask of {where}", naming)
    group = row.values.get("group") or None
    return Entry(name="", where=where, label=label, group=group, mask=mask, frame=frame, frames=frames)


def _refuse_repeated_rows(rows: Sequence[Row], key: str) -> None:
    """Refuses two rows about one image, or one frame of it, and says whether they agree."""
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        if not row.values[key]:
            raise DataListError(f"line {row.line} of {LABELS_NAME} has no {key}; fill it in or remove the line.")
        first = seen.setdefault((row.values[key], row.values.get("frame", "")), row)
        if first is not row:
            differing = [column for column in row.values if row.values[column] != first.values[column]]
            how = (
                f"contradicts line {first.line} in {', '.join(differing)}"
                if differing
                else f"repeats line {first.line}"
            )
            raise DataListError(f"line {row.line} of {LABELS_NAME} {how}; remove one of the two.")


def _files(root: Path, row: Row, key: str, folder: _Folder, naming: Naming) -> list[str]:
    """Return the names of the files that a row is about."""
    value = row.values[key]
    if key != "file":
        return folder.by_key.get(value, [])
    name = _inside(root, value, f"file of line {row.line} of {LABELS_NAME}", naming)
    if not (root / name).is_file() and "\\" in value:  # a table from Windows
        name = _inside(root, value.replace("\\", "/"), f"file of line {row.line} of {LABELS_NAME}", naming)
    return [name] if (root / name).is_file() else []


def _inside(root: Path, value: str, what: str, naming: Naming) -> str:
    name = resolve_inside(root, value)
    if name is None:
        raise DataListError(f"{what} leaves dataset_dir{naming.got(value)}; move the file into it.")
    return name


def _list_folder(root: Path, key: str) -> _Folder:
    """List the files below the folder and, where the table goes by UIDs, read their headers."""
    folder = _Folder({path.relative_to(root).as_posix() for path in walk_files(root) if not is_no_image(path)})
    if key == "file":
        return folder
    instances: set[str] = set()
    blank = copies = 0
    for name in sorted(folder.files):
        try:
            names = read_names(root / name)
        except ImageReadError:
            folder.unreadable += 1
            continue
        if names is None:
            continue
        if not names.picture:
            blank += 1
        elif names.instance and names.instance in instances:
            copies += 1
        else:
            instances.add(names.instance)
            folder.by_key.setdefault(names.instance if key == "sop_instance_uid" else names.study, []).append(name)
    folder.by_key.pop("", None)
    for count, what in (
        (folder.unreadable, "DICOM headers could not be read"),
        (blank, f"DICOM files hold no picture (no {element('Rows')})"),
        (copies, f"DICOM files have the {element('SOPInstanceUID')} of another, of which the first by name is taken"),
    ):
        if count:
            logger.warning("%d %s; these files are not used.", count, what)
    return folder


def _report_unused(entries: Sequence[Entry], folder: _Folder) -> None:
    used = {entry.name for entry in entries} | {entry.mask for entry in entries}
    unused = len(folder.files - used)
    if unused:
        logger.warning("%d files below dataset_dir are in no row of %s and are not used.", unused, LABELS_NAME)


def _in_pool(row: Row) -> bool:
    return section_of(row.values.get("split", "")) == POOL


def _pool(entries: Sequence[Entry], rows: Sequence[Row]) -> list[Entry]:
    """Return the entries of the pool, without masks: whether there is one says what is in the image."""
    places = {f"line {row.line} of {LABELS_NAME}" for row in rows if _in_pool(row)}
    return [replace(entry, mask=None) for entry in entries if entry.where in places]


def _by_column(entries: Sequence[Entry], rows: Sequence[Row]) -> dict[str, list[Entry]]:
    """Return the labeled entries by what the split column says."""
    said: Mapping[str, str] = {f"line {row.line} of {LABELS_NAME}": row.values["split"] for row in rows}
    sections: dict[str, list[Entry]] = {"training": [], "validation": [], "test": []}
    for entry in entries:
        if entry.label < 0:
            continue
        section = section_of(said[entry.where])
        if section is None:
            raise DataListError(
                f"split of {entry.where} must be train, val, test or unlabeled; fill it in for every labeled row, or "
                "remove the column, so that patients are split by seed."
            )
        sections[section].append(entry)
    return sections
