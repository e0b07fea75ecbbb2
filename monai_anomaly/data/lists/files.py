# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files and folders below a folder, in an order of their own, without hidden ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.folders.folder_names import is_no_image

__all__ = ["iterate_files", "list_files", "list_folders", "walk_files"]

logger = logging.getLogger(__name__)


def list_files(
    root: Path, folder: Path, *, label: int, every: bool = False, naming: Naming | None = None
) -> list[Entry]:
    """Return the entries of the files below a folder, sorted by name; hidden files are skipped.

    Args:
        root: names are relative to it.
        folder: where to look.
        label: label of the entries.
        every: take texts and tables too, which are left out (and counted in a warning) otherwise; no folder below is
            a patient then.
        naming: how the folder is called in messages; None says names that mean something to us only.
    """
    place = (naming or Naming()).folder(folder.relative_to(root))
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
    return sorted(iterate_files(folder), key=lambda path: path.as_posix())


def iterate_files(folder: Path) -> Iterator[Path]:
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


def list_folders(parent: Path) -> list[Path]:
    """Return the visible folders in a folder, sorted."""
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
