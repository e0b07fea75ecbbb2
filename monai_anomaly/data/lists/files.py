# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files and folders below a folder, in an order of their own, without those of the system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from monai_anomaly.data.lists.folders.system_names import is_of_system

__all__ = ["count_of_system", "iterate_files", "list_folders", "walk_files"]


def walk_files(folder: Path, on_system: Callable[[Path], object] | None = None) -> list[Path]:
    """Return the user's files below a folder, sorted; links to folders are followed once per real folder.

    Args:
        folder: where to look.
        on_system: is called with each file and folder that is passed over; see
            :func:`~monai_anomaly.data.lists.folders.system_names.is_of_system`.

    Raises:
        OSError: when a folder cannot be listed, so that no image is left out in silence.
    """
    return sorted(iterate_files(folder, on_system=on_system), key=lambda path: path.as_posix())


def _stop(error: OSError) -> None:
    raise error


def iterate_files(
    folder: Path,
    *,
    on_system: Callable[[Path], object] | None = None,
    on_error: Callable[[OSError], object] = _stop,
) -> Iterator[Path]:
    """Yield what :func:`walk_files` returns, in no order.

    Args:
        folder: where to look.
        on_system: as there.
        on_error: is called with the error of a folder that cannot be listed.
    """
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        if on_system is not None:
            for name in filter(is_of_system, (*folders, *files)):
                on_system(Path(parent, name))
        folders[:] = sorted(name for name in folders if not is_of_system(name))
        yield from (Path(parent, name) for name in files if not is_of_system(name))


def list_folders(parent: Path) -> list[Path]:
    """Return the user's folders in a folder, sorted."""
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not is_of_system(entry.name))


def count_of_system(parent: Path) -> int:
    """Return how many of the files and folders in a folder, not below it, are the system's."""
    return sum(is_of_system(entry.name) for entry in parent.iterdir())
