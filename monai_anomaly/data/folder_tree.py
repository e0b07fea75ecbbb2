# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a folder tree ``<split>/<class>/...``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from monai_anomaly.data.entries import Entry, Naming
from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.folder_names import SPLITS, class_of, is_no_image

__all__ = ["find_class_folders", "find_split", "list_files", "read_tree", "walk_files"]

logger = logging.getLogger(__name__)


def read_tree(root: Path, naming: Naming) -> dict[str, list[Entry]]:
    """Returns the sections ``training``, ``validation``, ``test`` and ``inference`` (always empty).

    Args:
        root: the folder that holds the splits.
        naming: how files and folders are called in messages.

    Raises:
        DataListError: for a tree without normal training images or with folders whose meaning is open.
    """
    folders = {section: find_class_folders(root, section, naming) for section in SPLITS}
    if not any(folders.values()):
        raise DataListError(
            "dataset_dir has neither dataset.json nor labels.csv nor train/normal, val/{normal,abnormal} or "
            "test/{normal,abnormal}; add one of them."
        )
    _check_names(folders)
    sections: dict[str, list[Entry]] = {"inference": []}
    for section, found in folders.items():
        normal, abnormal = found or (None, None)
        used = ((0, normal),) if section == "training" else ((0, normal), (1, abnormal))
        sections[section] = [entry for label, path in used if path for entry in list_files(root, path, label=label)]
    return sections


def find_split(root: Path, section: str) -> Path | None:
    """Returns the folder of a split, None if there is none.

    Args:
        root: the folder that holds the splits.
        section: ``training``, ``validation`` or ``test``.

    Raises:
        DataListError: for two folders of one meaning.
    """
    return _one([entry for entry in _folders(root) if entry.name.lower() in SPLITS[section]], root)


def find_class_folders(root: Path, section: str, naming: Naming) -> tuple[Path | None, Path | None] | None:
    """Returns the normal and the abnormal folder of a split, None for one that is not there.

    Args:
        root: the folder that holds the splits.
        section: ``training``, ``validation`` or ``test``.
        naming: how folders are called in messages.

    Returns:
        None when there is no such split or, for a test split only, it has no class folders (images to be scored).

    Raises:
        DataListError: for two folders of one meaning, or a folder without a known one.
    """
    split = find_split(root, section)
    if split is None:
        return None
    entries = _folders(split)
    found = [_one([entry for entry in entries if class_of(entry.name) == label], root) for label in (0, 1)]
    unknown = [number for number, entry in enumerate(entries) if class_of(entry.name) is None]
    if found == [None, None]:
        if section == "test":
            return None
        raise DataListError(
            f"{split.name} has no folder of normal images; name it {split.name}/normal (or good, benign, healthy)."
        )
    if unknown:
        folder = repr(entries[unknown[0]].name) if naming.source_names else f"number {unknown[0] + 1}, sorted by name,"
        raise DataListError(
            f"{len(unknown)} of the {len(entries)} folders in {split.name} are neither a normal nor an abnormal class "
            f"({folder} is the first); rename them to normal or abnormal, or write a dataset.json."
        )
    return found[0], found[1]


def list_files(root: Path, folder: Path, *, label: int, every: bool = False) -> list[Entry]:
    """Returns the entries of the files below a folder, sorted by name; hidden files are skipped.

    Args:
        root: names are relative to it.
        folder: where to look; its own name must be one of ours.
        label: label of the entries.
        every: take texts and tables too, which are left out (and counted in a warning) otherwise; no folder below is
            a patient then.
    """
    place = "dataset_dir" if folder == root else folder.relative_to(root).as_posix()
    paths = walk_files(folder)
    images = paths if every else [path for path in paths if not is_no_image(path)]
    if len(images) < len(paths):
        logger.warning("%d files that are no images were skipped in %s.", len(paths) - len(images), place)
    entries = []
    for number, path in enumerate(images, 1):
        below = path.relative_to(folder).parts
        entries.append(
            Entry(
                name=path.relative_to(root).as_posix(),
                where=f"entry {number} of {place}, sorted by name",
                label=label,
                folder=below[0] if len(below) > 1 and not every else None,
            )
        )
    return entries


def walk_files(folder: Path) -> list[Path]:
    """Returns the visible files below a folder, sorted; links to folders are followed once per real folder.

    Raises:
        OSError: when a folder cannot be listed, so that no image is left out in silence.
    """
    found: list[Path] = []
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real in visited:
            continue
        visited.add(real)
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.as_posix())


def _stop(error: OSError) -> None:
    raise error


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _one(found: list[Path], root: Path) -> Path | None:
    """Returns the only folder, None for no folder."""
    if len(found) > 1:
        names = " and ".join(entry.relative_to(root).as_posix() for entry in found)
        raise DataListError(f"{names} mean the same; keep one of them or write a dataset.json.")
    return found[0] if found else None


def _check_names(folders: dict[str, tuple[Path | None, Path | None] | None]) -> None:
    """Refuses train/normal beside test/benign: a benign lesion is not a normal image."""
    for label in (0, 1):
        found = [pair[label] for pair in folders.values() if pair]
        used = {folder.name.lower() for folder in found if folder}
        if len(used) > 1:
            raise DataListError(
                f"the splits name the same class differently ({', '.join(sorted(used))}); use one name in all or "
                "write a dataset.json."
            )
