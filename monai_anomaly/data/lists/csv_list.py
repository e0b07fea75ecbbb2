# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads ``labels.csv``: a table of labels for a folder of images whose files lie as the archive exported them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pydicom.uid import UID

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.names import read_names
from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.lists.columns import read_columns
from monai_anomaly.data.lists.csv_table import Row, read_table
from monai_anomaly.data.lists.entries import (
    NO_LABEL,
    Entry,
    Naming,
    check_frames,
    fill_masks,
    parse_label,
    refuse_repeats,
)
from monai_anomaly.data.lists.files import walk_files
from monai_anomaly.data.lists.folders.folder_names import is_no_image, section_of
from monai_anomaly.data.lists.folders.helper_files import find_helpers
from monai_anomaly.data.lists.listed_paths import ListedPaths
from monai_anomaly.data.lists.patient_split import split_patients
from monai_anomaly.data.lists.patients import add_patients, add_patients_to_entries
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["LABELS_NAME", "read_labels"]

LABELS_NAME = "labels.csv"
KEYS = {"file": "", "sop_instance_uid": "SOPInstanceUID", "study_instance_uid": "StudyInstanceUID"}
"""Columns that say which image a row is about, with the DICOM element that they stand for."""

COLUMNS = (*KEYS, "label", "split", "group", "mask", "frame", "frames")
logger = logging.getLogger(__name__)


@dataclass
class _Folder:
    """The images of the folder: by what the table calls them, and how many it could call nothing."""

    files: set[str]
    by_key: dict[str, list[str]] = field(default_factory=dict)
    unreadable: int = 0


class _ListedImage(NamedTuple):
    """An image of the folder, and the row of the table that is about it."""

    entry: Entry
    row: Row


def read_labels(
    root: Path,
    naming: Naming,
    paths: ListedPaths,
    *,
    seed: int,
    shares: Sequence[float],
    columns: Sequence[str] = (),
    pool: bool = False,
    quiet: bool = False,
) -> EntriesBySection:
    """Return the sections, with the patients of training, validation and test.

    ``inference`` are the rows without a label, ``unlabeled`` those with this split (or ``unlabelled``), whose labels
    may be anything (:data:`~monai_anomaly.data.lists.entries.NO_LABEL` where they are neither class) and whose masks
    are left out; they are in no other section, and have the table's groups only.

    The table has exactly one of the columns ``file`` (path relative to the folder), ``sop_instance_uid`` and
    ``study_instance_uid`` (every image of the study), and ``label``; optionally ``split``, ``group``, ``mask``,
    ``frame`` and ``frames``. Without ``split`` whole patients are dealt out; see
    :func:`~monai_anomaly.data.lists.patient_split.split_patients`.

    Args:
        root: the folder that holds ``labels.csv``.
        naming: how files are called in messages.
        paths: finds the files that the table names.
        seed: draws the split.
        shares: of training, validation and test.
        columns: further columns to keep; upper and lower case do not matter.
        pool: give the section ``unlabeled``; it is empty otherwise.
        quiet: do not say how patients are dealt out.

    Raises:
        DataListError: whatever is wrong with the table, or rows that match no file.
    """
    rows = read_table(root / LABELS_NAME, (*COLUMNS, *(column.lower() for column in columns)), "label")
    key = _find_key(rows[0])
    folder = _list_folder(root, key)
    images = _match(root, rows, key, folder, naming, paths, columns)
    refuse_repeats([image.entry for image in images], naming)
    _report_unused(images, folder)
    outside = [image for image in images if not _is_in_pool(image.row)]
    labeled = [image for image in outside if image.entry.label >= 0]
    if "split" in rows[0].values:
        listed = add_patients(root, _split_by_column(labeled))
    else:
        entries = add_patients_to_entries(root, [image.entry for image in labeled])
        listed = split_patients(entries, seed=seed, shares=shares, quiet=quiet)
    listed = replace(listed, inference=[image.entry for image in outside if image.entry.label < 0])
    listed = listed.map(lambda entries: fill_masks(entries, naming))
    return replace(listed, unlabeled=_take_pool(images) if pool else [])


def _find_key(row: Row) -> str:
    """Return the column that says which image a row is about."""
    keys = [key for key in KEYS if key in row.values]
    if len(keys) != 1:
        raise DataListError(
            f"{LABELS_NAME} must have exactly one of the columns {', '.join(KEYS)}, it has {len(keys)}; "
            "name the images in one way."
        )
    return keys[0]


def _match(
    root: Path,
    rows: Sequence[Row],
    key: str,
    folder: _Folder,
    naming: Naming,
    paths: ListedPaths,
    columns: Sequence[str],
) -> list[_ListedImage]:
    """Return the images of all rows, sorted by name, so that the order of the rows does not matter."""
    _refuse_repeated_rows(rows, key)
    images: list[_ListedImage] = []
    unmatched: list[int] = []
    for row in rows:
        entry = replace(_read_row(row, naming, paths), columns=read_columns(row.values, columns, LABELS_NAME))
        files = _find_files(root, row, key, folder, paths)
        images += [_ListedImage(replace(entry, name=name), row) for name in files]
        if not files:
            unmatched.append(row.line)
    if unmatched:
        what = f"headers of {folder.unreadable} files could not be read; " if folder.unreadable else ""
        raise DataListError(
            f"{len(unmatched)} rows of {LABELS_NAME} match no file below dataset_dir (line {unmatched[0]} first); "
            f"{what}correct or remove the rows, or add the files."
        )
    return sorted(images, key=lambda image: (image.entry.name, -1 if image.entry.frame is None else image.entry.frame))


def _where(row: Row) -> str:
    """Return what a row is called in messages."""
    return f"line {row.line} of {LABELS_NAME}"


def _read_row(row: Row, naming: Naming, paths: ListedPaths) -> Entry:
    """Return what a row says, still without its file."""
    where = _where(row)
    label = _read_label(row, naming)
    frame, frames = _read_frames(row, naming)
    mask = row.values.get("mask") or None
    return Entry(
        name="",
        where=where,
        label=label,
        group=row.values.get("group") or None,
        mask=None if mask is None else paths.place(mask, f"mask of {where}"),
        frame=frame,
        frames=frames,
    )


def _read_label(row: Row, naming: Naming) -> int:
    """Return 0 or 1, or NO_LABEL for an image that is only to be scored or learned from."""
    text = row.values.get("label", "")
    label = parse_label(text)
    if label is not None:
        return label
    if not text or _is_in_pool(row):
        return NO_LABEL
    raise DataListError(
        f"label of {_where(row)} must be 0 or normal, 1 or abnormal, or empty for an image that is only to be scored"
        f"{naming.got(text)}; correct it (benign may be a finding: write 0 or 1)."
    )


def _read_frames(row: Row, naming: Naming) -> tuple[int | None, str | None]:
    """Return the frame and the frame rule of a row, of which it has at most one."""
    return check_frames(_where(row), row.values.get("frame") or None, row.values.get("frames") or None, naming)


def _refuse_repeated_rows(rows: Sequence[Row], key: str) -> None:
    """Refuse two rows about one image, or one frame of it, and say whether they agree."""
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        if not row.values[key]:
            raise DataListError(f"{_where(row)} has no {key}; fill it in or remove the line.")
        first = seen.setdefault((row.values[key], row.values.get("frame", "")), row)
        if first is not row:
            differing = [column for column in row.values if row.values[column] != first.values[column]]
            how = (
                f"contradicts line {first.line} in {', '.join(differing)}"
                if differing
                else f"repeats line {first.line}"
            )
            raise DataListError(f"{_where(row)} {how}; remove one of the two.")


def _find_files(root: Path, row: Row, key: str, folder: _Folder, paths: ListedPaths) -> list[str]:
    """Return the names of the files that a row is about."""
    value = row.values[key]
    if key != "file":
        return folder.by_key.get(value, [])
    name = paths.place(value, f"file of {_where(row)}")
    return [name] if (root / name).is_file() else []


def _list_folder(root: Path, key: str) -> _Folder:
    """List the files below the folder and, where the table goes by UIDs, read their headers."""
    folder = _Folder({path.relative_to(root).as_posix() for path in walk_files(root) if not is_no_image(path)})
    if key != "file":
        _name_files(root, folder, key)
    return folder


def _name_files(root: Path, folder: _Folder, key: str) -> None:
    """Find what the table calls each file, from its header; say how many it calls nothing, and why."""
    instances: set[str] = set()
    blank = copies = 0
    helpers = {helper.path for helper in find_helpers(folder.files)}
    for name in sorted(folder.files - helpers):
        try:
            names = read_names(root / name)
        except ImageReadError:
            folder.unreadable += 1
            continue
        if names is None:
            continue
        if not names.picture:
            blank += 1
        elif UID(names.instance).is_valid and names.instance in instances:
            copies += 1
        else:
            instances.add(names.instance)
            uid = names.instance if key == "sop_instance_uid" else names.study
            folder.by_key.setdefault(uid, []).append(name)
    folder.by_key.pop("", None)
    for count, what in (
        (len(helpers), "files are called as masks or other helpers of an image are"),
        (folder.unreadable, "DICOM headers could not be read"),
        (blank, f"DICOM files hold no picture (no {element('Rows')})"),
        (copies, f"DICOM files have the {element('SOPInstanceUID')} of another, of which the first by name is taken"),
    ):
        if count:
            logger.warning("%d %s; these files are not used.", count, what)


def _report_unused(images: Sequence[_ListedImage], folder: _Folder) -> None:
    used = {image.entry.name for image in images} | {image.entry.mask for image in images}
    unused = len(folder.files - used)
    if unused:
        logger.warning("%d files below dataset_dir are in no row of %s and are not used.", unused, LABELS_NAME)


def _is_in_pool(row: Row) -> bool:
    return section_of(row.values.get("split", "")) is Section.UNLABELED


def _take_pool(images: Sequence[_ListedImage]) -> list[Entry]:
    """Return the entries of the pool, without masks: whether there is one says what is in the image."""
    return [replace(image.entry, mask=None) for image in images if _is_in_pool(image.row)]


def _split_by_column(labeled: Sequence[_ListedImage]) -> EntriesBySection:
    """Return the labeled entries by what the split column says."""
    listed = EntriesBySection()
    entries_of = {
        Section.TRAINING: listed.training,
        Section.VALIDATION: listed.validation,
        Section.TEST: listed.test,
    }
    for entry, row in labeled:
        section = section_of(row.values["split"])
        if section is None:
            raise DataListError(
                f"split of {entry.where} must be train, val, test or unlabeled; fill it in for every labeled row, or "
                "remove the column, so that patients are split by seed."
            )
        entries_of[section].append(entry)
    return listed
