# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a folder tree ``<split>/<class>/...``."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError

__all__ = ["class_of", "find_class_folders", "find_split", "list_files", "read_tree"]

SPLITS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
CLASSES = (
    ("normal", "normals", "good", "benign", "healthy"),
    (
        "abnormal",
        "abnormals",
        "anomaly",
        "anomalies",
        "anomalous",
        "cancerous",
        "malignant",
        "diseased",
        "lesion",
        "bad",
    ),
)
OTHER_SUFFIXES = (".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".xml", ".html", ".pdf", ".ini", ".log")
OTHER_NAMES = ("thumbs.db", "readme", "license", "dicomdir")
logger = logging.getLogger(__name__)


def class_of(name: str) -> int | None:
    """Returns 0 for a name of the normal class, 1 for one of the abnormal class, None for any other."""
    for label, names in enumerate(CLASSES):
        if name.strip().lower() in names:
            return label
    return None


def read_tree(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the sections ``training``, ``validation``, ``test`` and ``inference`` (always empty).

    Args:
        root: the folder that holds the splits.

    Raises:
        DataListError: for a tree without normal training images or with folders whose meaning is open.
    """
    folders = {section: find_class_folders(root, section) for section in SPLITS}
    if not any(folders.values()):
        raise DataListError(
            "dataset_dir has neither dataset.json nor train/normal, val/{normal,abnormal} or test/{normal,abnormal}; "
            "add one of them."
        )
    _check_names(folders)
    sections: dict[str, list[dict[str, Any]]] = {"inference": []}
    for section, found in folders.items():
        normal, abnormal = found or (None, None)
        used = ((0, normal),) if section == "training" else ((0, normal), (1, abnormal))
        sections[section] = [item for label, path in used if path for item in list_files(root, path, label=label)]
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


def find_class_folders(root: Path, section: str) -> tuple[Path | None, Path | None] | None:
    """Returns the normal and the abnormal folder of a split, None for one that is not there.

    Args:
        root: the folder that holds the splits.
        section: ``training``, ``validation`` or ``test``.

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
    unknown = [entry.name for entry in entries if class_of(entry.name) is None]
    if found == [None, None]:
        if section == "test":
            return None
        raise DataListError(
            f"{split.name} has no folder of normal images; name it {split.name}/normal (or good, benign, healthy)."
        )
    if unknown:
        raise DataListError(
            f"{split.name}/{unknown[0]} is neither a normal nor an abnormal class; rename it to normal or abnormal, or "
            "write a dataset.json."
        )
    return found[0], found[1]


def list_files(root: Path, folder: Path, *, label: int, every: bool = False) -> list[dict[str, Any]]:
    """Returns the items of the files below a folder, sorted by name; hidden files are skipped.

    Args:
        root: names are relative to it.
        folder: where to look.
        label: label of the items.
        every: take texts and tables too, which are left out (and counted in a warning) otherwise.
    """
    items = []
    skipped = 0
    for path in _walk(folder):
        if not every and (path.suffix.lower() in OTHER_SUFFIXES or path.name.lower() in OTHER_NAMES):
            skipped += 1
            continue
        name = path.relative_to(root).as_posix()
        below = path.relative_to(folder).parts
        group = below[0] if len(below) > 1 and not every else name
        items.append({"image": str(path), "name": name, "label": label, "group": group})
    if skipped:
        logger.warning("%d files that are no images were skipped in %s.", skipped, folder.relative_to(root).as_posix())
    return items


def _walk(folder: Path) -> list[Path]:
    """Returns the visible files below a folder; links to folders are followed once per real folder."""
    found: list[Path] = []
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real in visited:
            continue
        visited.add(real)
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.as_posix())


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
