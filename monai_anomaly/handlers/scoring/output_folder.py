# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""A folder of numbered files, one for each record."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

__all__ = ["OutputFolder", "is_numbered"]

_NUMBERED = re.compile(r"\d{6,}_[A-Za-z0-9_-]*\.(png|npz|nii)")


def is_numbered(name: str) -> bool:
    """Return whether a file's name is one that :class:`OutputFolder` gives."""
    return _NUMBERED.fullmatch(name) is not None


class OutputFolder:
    """A folder below the output folder; its files are called by a running number and a harmless form of a name.

    Args:
        output_dir: the output folder, absolute.
        name: of the folder in it.
    """

    def __init__(self, output_dir: Path, name: str) -> None:
        self.output_dir = output_dir
        self.path = output_dir / name

    def write(self, number: int, name: str, suffix: str, data: bytes) -> str:
        """Write a file, whole or not at all, and return its path relative to the output folder.

        Args:
            number: of the record.
            name: what the input is called in results; its stem becomes a part of the file's name.
            suffix: ``"png"``, ``"npz"`` or ``"nii"``.
            data: the content.

        Raises:
            OSError: when it cannot be written.
        """
        path = self._path(number, name, suffix)
        try:
            path.write_bytes(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.relative_to(self.output_dir).as_posix()

    def take(self, number: int, name: str, source: Path) -> str:
        """Give a file of another run its place here, too, and return its path relative to the output folder.

        Args:
            number: of the record.
            name: as in :meth:`write`.
            source: the file, which stays; where the file system can, the two share their bytes.

        Raises:
            OSError: when it cannot be done.
        """
        path = self._path(number, name, source.suffix[1:])
        try:
            os.link(source, path)
        except OSError:  # no links here, or no more of them
            try:
                shutil.copyfile(source, path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return path.relative_to(self.output_dir).as_posix()

    def _path(self, number: int, name: str, suffix: str) -> Path:
        return self.path / f"{number:06d}_{_safe_stem(name)}.{suffix}"


def _safe_stem(name: str) -> str:
    """Return the stem of a file name with nothing that a file system, a shell or a browser could take for more."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).stem)[:60].strip("_") or "image"
