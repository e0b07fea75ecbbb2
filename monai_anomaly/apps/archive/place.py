# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the results go: a folder, or a place in an object store. What is written there is whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from monai_anomaly.utils.atomic import TEMPORARY_MARK, atomic_path, atomic_write
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["ResultPlace"]


class ResultPlace:
    """A folder for results, here or in an object store.

    On a drive a file is written beside its place, synced and renamed; an object store takes an object whole or not.

    Args:
        url: a path, or a URL that fsspec knows.

    Attributes:
        folder: the path, where it is on a drive; None elsewhere.

    Raises:
        ConfigError: for a URL that nobody knows.
    """

    def __init__(self, url: str) -> None:
        try:
            self._system, root = fsspec.core.url_to_fs(url if "://" in url else str(Path(url).expanduser().absolute()))
        except (ImportError, ValueError) as error:
            raise ConfigError(f"the place of the results cannot be opened: {error}") from None
        self.folder = Path(root) if isinstance(self._system, LocalFileSystem) else None
        self._root = str(root).rstrip("/")

    def names(self, folder: str) -> set[str]:
        """Return the names of the files in a folder; none where there is no such folder."""
        self._system.invalidate_cache()
        try:
            found = self._system.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return set()
        return {str(path).rpartition("/")[2] for path in found if TEMPORARY_MARK not in str(path)}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None where it is not there."""
        try:
            content: bytes = self._system.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def open(self, name: str) -> Any:
        """Return a file, open for reading, of which parts can be read."""
        return self._system.open(f"{self._root}/{name}", "rb")

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if self.folder is None:
            self._system.pipe_file(f"{self._root}/{name}", content)
        else:
            atomic_write(self._target(self.folder, name), content)

    def note(self, name: str, content: bytes) -> None:
        """Write a file that has to survive the process and not the machine, which on a drive takes a tenth as long."""
        if self.folder is None:
            self.write(name, content)
        else:
            target = self._target(self.folder, name)
            temporary = target.with_name(f".{target.name}{TEMPORARY_MARK}{os.getpid()}")
            temporary.write_bytes(content)
            os.replace(temporary, target)

    def put(self, name: str, path: Path) -> None:
        """Write what is in a file here, whole or not at all."""
        if self.folder is None:
            self._system.put_file(str(path), f"{self._root}/{name}")
        else:
            with atomic_path(self._target(self.folder, name)) as temporary:
                shutil.copyfile(path, temporary)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            self._system.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return

    def clear(self, folder: str) -> None:
        """Remove all files of a folder, and the folder, if it is there."""
        for name in self.names(folder):
            self.remove(f"{folder}/{name}")
        if self.folder is not None:
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def clear_unfinished(self, folder: str) -> None:
        """Remove what a kill left of files that were being written; nobody may be writing."""
        if self.folder is not None:
            for path in (self.folder / folder).glob(f".*{TEMPORARY_MARK}*"):
                path.unlink(missing_ok=True)

    def _target(self, folder: Path, name: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
