# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files that a command line names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.apps.inspection.text_output import printable

__all__ = ["ListedFile", "UsageError", "list_paths"]


class UsageError(ValueError):
    """A command line that makes no sense; the text is one sentence with the cure."""


@dataclass(frozen=True)
class ListedFile:
    """A file to be inspected.

    Args:
        path: where it is, in the user's words.
        name: its path relative to the folder that was given, with slashes; what results call it by.
        unlisted: it is a folder whose content may not be listed.
    """

    path: str
    name: str
    unlisted: bool = False


def list_paths(paths: Sequence[str]) -> list[ListedFile]:
    """Return the files given and the visible files below the folders given, each folder's in the order of their names.

    Links to folders are followed, once for each real folder. These are the files, and the names, of a run over the
    folder; where a run stops because a folder may not be listed, that folder has an entry here.

    Args:
        paths: of files and folders.

    Raises:
        UsageError: when one of them does not exist, or there is no file.
    """
    files: dict[str, ListedFile] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"the path '{printable(path)}' does not exist; correct it.")
        listed = _walk(path) if os.path.isdir(path) else [ListedFile(path, os.path.basename(path))]
        for file in listed:
            files.setdefault(os.path.abspath(file.path), file)
    if not files:
        raise UsageError("there is no visible file below the given folder; name a folder with images.")
    return list(files.values())


def _walk(folder: str) -> list[ListedFile]:
    """Return the visible files below a folder, sorted; links to folders are followed once per real folder."""
    files: list[ListedFile] = []
    visited: set[str] = set()

    def listed(path: str, *, unlisted: bool = False) -> ListedFile:
        return ListedFile(path, Path(path).relative_to(folder).as_posix(), unlisted)

    def blocked(error: OSError) -> None:
        files.append(listed(str(error.filename or folder), unlisted=True))

    for parent, folders, names in os.walk(folder, onerror=blocked, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real not in visited:
            visited.add(real)
            files += [listed(os.path.join(parent, name)) for name in names if not name.startswith(".")]
    return sorted(files, key=lambda file: file.name)
