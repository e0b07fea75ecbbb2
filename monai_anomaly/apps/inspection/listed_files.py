# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files that a command line names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.data.lists.files import iterate_files
from monai_anomaly.data.lists.folders.helper_files import find_helpers
from monai_anomaly.data.lists.folders.tally import HELPERS, OF_SYSTEM
from monai_anomaly.utils.printable import printable

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


def list_paths(paths: Sequence[str], passed: Counter[str] | None = None) -> list[ListedFile]:
    """Return the files given and those below the folders given, each folder's in the order of their names.

    Links to folders are followed, once for each real folder. These are the files, and the names, of a run over the
    folder; where a run stops because a folder may not be listed, that folder has an entry here. Masks and other helpers
    of images, and what is the system's, are none of them, unless they are given by name.

    Args:
        paths: of files and folders; ``~`` is the home folder.
        passed: is added to, how many files and folders are passed over, by what they are.

    Raises:
        UsageError: when one of them does not exist, or there is no file.
    """
    files: dict[str, ListedFile] = {}
    for path in map(os.path.expanduser, paths):
        if not os.path.lexists(path):
            raise UsageError(f"the path '{printable(path)}' does not exist; correct it.")
        listed = [ListedFile(path, os.path.basename(path))]
        if os.path.isdir(path):
            listed = _walk(path, Counter() if passed is None else passed)
        for file in listed:
            files.setdefault(os.path.abspath(file.path), file)
    if not files:
        raise UsageError("there is no visible file below the given folder; name a folder with images.")
    return list(files.values())


def _walk(folder: str, passed: Counter[str]) -> list[ListedFile]:
    """Return the files below a folder, sorted."""
    closed: list[str] = []
    of_system: list[Path] = []
    paths = iterate_files(
        Path(folder), on_system=of_system.append, on_error=lambda error: closed.append(str(error.filename or folder))
    )
    names = {Path(path).relative_to(folder).as_posix() for path in paths}
    helpers = {helper.path for helper in find_helpers(names)}
    passed.update({OF_SYSTEM: len(of_system), HELPERS: len(helpers)})
    files = [ListedFile(os.path.join(folder, name), name) for name in names - helpers]
    files += [ListedFile(path, Path(path).relative_to(folder).as_posix(), unlisted=True) for path in closed]
    return sorted(files, key=lambda file: file.name)
