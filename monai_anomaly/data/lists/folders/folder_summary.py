# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a folder holds, in a sentence for whoever gave the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from monai_anomaly.data.lists.entries import Naming
from monai_anomaly.data.lists.files import iterate_files, list_folders

__all__ = ["describe_folder"]

SHOWN = 12
"""Folders that a message lists."""
COUNTED = 10_000
"""Files of a folder that a message counts: the folder may be a whole disk, given by mistake."""


def describe_folder(root: Path, naming: Naming) -> str:
    """Say in a sentence what the folder holds: its folders and theirs, with their numbers of files.

    The name of a folder may be that of a patient, so that only the names that mean something to us are always said.
    """
    places = [place for folder in list_folders(root) for place in _places(folder)]
    shown = [f"{naming.folder(folder.relative_to(root))} ({_count(folder, deep)})" for folder, deep in places[:SHOWN]]
    if not shown:
        return f"It holds no folders and {_count(root, False)}."
    more = f" and {len(places) - SHOWN} more folders" if len(places) > SHOWN else ""
    return f"It holds {', '.join(shown)}{more}."


def _places(split: Path) -> list[tuple[Path, bool]]:
    """Return the folders in a folder, that count with all below, and itself if it has files of its own or none."""
    try:
        below = [(folder, True) for folder in list_folders(split)]
        holds_files = not below or any(_files_in(split))
    except OSError:
        return [(split, False)]
    return [*([(split, False)] if holds_files else []), *below]


def _count(folder: Path, deep: bool) -> str:
    """Say how many files are in a folder, or below it; an error of the system is no reason to say nothing."""
    try:
        files = iterate_files(folder) if deep else _files_in(folder)
        count = sum(1 for _ in islice(files, COUNTED + 1))
    except OSError:
        return "cannot be read"
    return f"more than {COUNTED} files" if count > COUNTED else f"{count} file{'' if count == 1 else 's'}"


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the visible files in a folder, without those of folders in it."""
    return (entry for entry in folder.iterdir() if not entry.name.startswith(".") and not entry.is_dir())
