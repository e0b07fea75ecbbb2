# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a folder tree ``<split>/<class>/...``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.folder_names import POOL, POOL_NAMES, SPLITS, class_of, is_no_image, section_of

__all__ = ["find_class_folders", "find_split", "list_files", "read_tree", "walk_files"]

logger = logging.getLogger(__name__)

SHOWN = 12
"""Folders that a message lists."""
COUNTED = 10_000
"""Files of a folder that a message counts: the folder may be a whole disk, given by mistake."""


def read_tree(root: Path, naming: Naming, section: str = "") -> dict[str, list[Entry]]:
    """Return the sections ``training``, ``validation``, ``test``, ``inference`` (always empty) and ``unlabeled``.

    Args:
        root: the folder that holds the splits.
        naming: how files and folders are called in messages.
        section: what will be taken of it. ``training``, and ``validation`` and ``normals`` without validation images,
            need normal training images; other sections do without. Files are listed as ``unlabeled`` for that section
            only, which alone does without any split.

    Raises:
        DataListError: for a tree with folders whose meaning is open, or whose folder of normal training images is empty
            and needed.
    """
    folders = {split: find_class_folders(root, split, naming) for split in SPLITS}
    pool = find_split(root, POOL) if section == POOL else None
    if not any(folders.values()) and pool is None:
        raise DataListError(
            "dataset_dir has neither dataset.json nor labels.csv nor train/normal, val/{normal,abnormal} or "
            f"test/{{normal,abnormal}}; add one of them. {_describe(root, naming)}"
        )
    _check_names(folders)
    sections: dict[str, list[Entry]] = {"inference": [], POOL: _list_pool(root, pool) if pool else []}
    for split, found in folders.items():
        normal, abnormal = found or (None, None)
        used = ((0, normal),) if split == "training" else ((0, normal), (1, abnormal))
        sections[split] = [entry for label, path in used if path for entry in list_files(root, path, label=label)]
    needed = section == "training" or (section in ("validation", "normals") and not sections["validation"])
    empty = folders["training"][0] if folders["training"] and not sections["training"] else None
    if needed and empty:
        place = empty.relative_to(root).as_posix()
        raise DataListError(f"{place} holds no images; put the normal training images there.")
    return sections


def _list_pool(root: Path, pool: Path) -> list[Entry]:
    """Return the files below the pool's folder, sorted by name; a folder in it is a patient unless it is a class."""
    entries = []
    for entry in list_files(root, pool, label=-1):
        first, *below = Path(entry.name).relative_to(pool.relative_to(root)).parts
        label = class_of(first) if below else None
        if label is not None:
            entry = replace(entry, label=label, folder=below[0] if len(below) > 1 else None)
        entries.append(entry)
    return entries


def find_split(root: Path, section: str) -> Path | None:
    """Return the folder of a split, None if there is none.

    Args:
        root: the folder that holds the splits.
        section: ``training``, ``validation``, ``test`` or ``unlabeled``.

    Raises:
        DataListError: for two folders of one meaning.
    """
    names = POOL_NAMES if section == POOL else SPLITS[section]
    return _one([entry for entry in _folders(root) if entry.name.lower() in names], root)


def find_class_folders(root: Path, section: str, naming: Naming) -> tuple[Path | None, Path | None] | None:
    """Return the normal and the abnormal folder of a split, None for one that is not there.

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
            f"{split.name} has no folder of normal images; name it {split.name}/normal (or good, benign, healthy). "
            f"{_describe(root, naming)}"
        )
    if unknown:
        folder = repr(entries[unknown[0]].name) if naming.source_names else f"number {unknown[0] + 1}, sorted by name,"
        raise DataListError(
            f"{len(unknown)} of the {len(entries)} folders in {split.name} are neither a normal nor an abnormal class "
            f"({folder} is the first); rename them to normal or abnormal, or write a dataset.json. "
            f"{_describe(root, naming)}"
        )
    return found[0], found[1]


def list_files(root: Path, folder: Path, *, label: int, every: bool = False) -> list[Entry]:
    """Return the entries of the files below a folder, sorted by name; hidden files are skipped.

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
    """Return the visible files below a folder, sorted; links to folders are followed once per real folder.

    Raises:
        OSError: when a folder cannot be listed, so that no image is left out in silence.
    """
    return sorted(_walk(folder), key=lambda path: path.as_posix())


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what :func:`walk_files` returns, in no order."""
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real in visited:
            continue
        visited.add(real)
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _stop(error: OSError) -> None:
    raise error


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _one(found: list[Path], root: Path) -> Path | None:
    """Return the only folder, None for no folder."""
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


def _describe(root: Path, naming: Naming) -> str:
    """Says in a sentence what the folder holds: its folders and theirs, with their numbers of files.

    The name of a folder may be that of a patient, so that only the names that mean something to us are always said.
    """
    places = [place for folder in _folders(root) for place in _places(folder)]
    shown = [f"{_called(root, folder, naming)} ({_count(folder, deep)})" for folder, deep in places[:SHOWN]]
    if not shown:
        return f"It holds no folders and {_count(root, False)}."
    more = f" and {len(places) - SHOWN} more folders" if len(places) > SHOWN else ""
    return f"It holds {', '.join(shown)}{more}."


def _places(split: Path) -> list[tuple[Path, bool]]:
    """Return the folders in a folder, that count with all below, and itself if it has files of its own or none."""
    try:
        below = [(folder, True) for folder in _folders(split)]
        own = not below or any(_files(split))
    except OSError:
        return [(split, False)]
    return [*([(split, False)] if own else []), *below]


def _called(root: Path, folder: Path, naming: Naming) -> str:
    def known(name: str) -> bool:
        return naming.source_names or class_of(name) is not None or section_of(name) is not None

    return "/".join(name if known(name) else "another name" for name in folder.relative_to(root).parts)


def _count(folder: Path, deep: bool) -> str:
    """How many files are in a folder, or below it; an error of the system is no reason to say nothing."""
    try:
        files = _walk(folder) if deep else _files(folder)
        count = sum(1 for _ in islice(files, COUNTED + 1))
    except OSError:
        return "cannot be read"
    return f"more than {COUNTED} files" if count > COUNTED else f"{count} file{'' if count == 1 else 's'}"


def _files(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith(".") and not entry.is_dir())
