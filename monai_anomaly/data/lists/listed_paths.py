# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From what a list calls a file to the file, written on another machine as it may be."""

from __future__ import annotations

import errno
import logging
import os
import unicodedata
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Naming
from monai_anomaly.data.lists.folders.helper_names import key_of

__all__ = ["ListedPaths", "check_allowed"]

logger = logging.getLogger(__name__)


def check_allowed(folders: object) -> tuple[Path, ...]:
    """Return the folders that a list may point to besides its own, with all links resolved.

    Args:
        folders: None, a folder or a list of them; ``~`` is the home folder.

    Raises:
        ValueError: for anything else, and for a folder that does not exist.
    """
    listed = () if folders is None else [folders] if isinstance(folders, (str, PathLike)) else folders
    known = isinstance(listed, Sequence) and all(isinstance(each, (str, PathLike)) for each in listed)
    paths = [Path(each).expanduser() for each in listed] if known else []  # type: ignore[attr-defined]
    if not known or not all(path.is_dir() for path in paths):
        raise ValueError(
            f"allow_outside must be an existing folder, a list of them or null, got {folders!r}; name the folder that "
            "the list points to."
        )
    return tuple(path.resolve() for path in paths)


class ListedPaths:
    r"""Finds the files that a list names.

    A path is taken as it is written, else with ``\`` as ``/``, as a list from Windows has it, and ``~`` as the home
    folder, else as the only file that differs from it by upper and lower case or by its Unicode form (NFC, NFD).

    Args:
        root: the data set's folder.
        naming: whether paths may be quoted.
        allowed: further folders that the list may point to, of :func:`check_allowed`. A link in them that leads out of
            them is refused; links below `root` are the user's and not looked at.
    """

    def __init__(self, root: Path, naming: Naming, allowed: Sequence[Path] = ()) -> None:
        self._base = os.path.normpath(root)
        self._naming = naming
        self._allowed = allowed
        self._alike = 0
        self._folders: dict[Path, dict[str, list[str]]] = {}

    def place(self, value: str, what: str) -> str:
        """Return the path of a listed file relative to the data set's folder, with ``/``; it may not exist.

        One in a folder that is allowed besides is absolute: a ``..`` after a link is not what it looks like.

        Args:
            value: what the list says.
            what: the path, for messages, e.g. ``mask of line 3 of labels.csv``.

        Raises:
            DataListError: when it leaves the folder for one that is not allowed, is no path or too long for one, or
                differs from several files by case or Unicode form alone.
            OSError: when a folder cannot be looked into.
        """
        try:
            return self._place(value, what)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise DataListError(f"{what} is longer than the name of a file can be; correct it.") from None

    def _place(self, value: str, what: str) -> str:
        places = [path for path in self._readings(value) if self._may_be_opened(path)]
        if not places:
            raise DataListError(
                f"{what} leaves dataset_dir{self._naming.got(value)}; move the file into it, or allow its folder with "
                "--allow_outside DIR."
            )
        there = [path for path in places if path.is_file()]
        if not there:
            there = [path for path in (self._find_alike(place, what) for place in places) if path]
            self._alike += bool(there)
        path = [*there, *places][0]
        return (path.relative_to(self._base) if path.is_relative_to(self._base) else path).as_posix()

    def report(self, name: str) -> None:
        """Say how many files a list calls differently from the disk."""
        if self._alike:
            logger.warning(
                "%d names in %s differ from those of the files by upper and lower case or by their Unicode form; each "
                "fits one file, which is taken.",
                self._alike,
                name,
            )

    def _readings(self, value: str) -> list[Path]:
        """Return the absolute paths that a value may stand for, the likeliest first; none for what is no path."""
        if not _is_path(value):
            return []
        texts = [value, value.replace("\\", "/")]
        texts += [os.path.expanduser(text) for text in texts if text.startswith("~")]
        paths = [os.path.normpath(os.path.join(self._base, text)) for text in texts]
        return [Path(path) for path in dict.fromkeys(paths)]

    def _may_be_opened(self, path: Path) -> bool:
        if str(path) != self._base and path.is_relative_to(self._base):
            return True
        real = path.resolve()
        return any(real != folder and real.is_relative_to(folder) for folder in self._allowed)

    def _find_alike(self, path: Path, what: str) -> Path | None:
        """Return the only file that is called so but for case and Unicode form."""
        top = Path(self._base) if path.is_relative_to(self._base) else Path(path.anchor)
        found = [top]
        for part in path.relative_to(top).parts:
            found = [folder / name for folder in found for name in self._names(folder).get(key_of(part), ())]
        files = [each for each in found if each.is_file() and self._may_be_opened(each)]
        same = [each for each in files if _normal(each) == _normal(path)]
        files = same or files
        if len(files) > 1:
            raise DataListError(
                f"{what} differs from {len(files)} files by upper and lower case or Unicode form alone"
                f"{self._naming.got(str(path))}; write the name as the file has it."
            )
        return files[0] if files else None

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """Return the names in a folder by what they are compared by; none of one that cannot be listed."""
        if folder not in self._folders:
            names: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(folder)):
                    names.setdefault(key_of(name), []).append(name)
            except OSError:  # the file is not found then, which the list's reader says
                names = {}
            self._folders[folder] = names
        return self._folders[folder]


def _normal(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path))


def _is_path(value: str) -> bool:
    try:
        return bool(value) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:  # half of a pair of code units, which JSON can hold and no file is called
        return False
