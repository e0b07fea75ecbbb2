# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""A folder of numbered files, one for each record, that holds those of one run only."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

__all__ = ["OutputFolder"]

_OURS = re.compile(r"\d{6,}_[A-Za-z0-9_-]*\.(png|npz|nii)")


class OutputFolder:
    """A folder below the output folder; its files are called by a running number and a harmless form of a name.

    Args:
        output_dir: the output folder, absolute.
        name: of the folder in it.
    """

    def __init__(self, output_dir: Path, name: str) -> None:
        self.output_dir = output_dir
        self.path = output_dir / name

    def prepare(self, *, wanted: bool) -> None:
        """Remove the files of an earlier run, none of anybody else's, and make the folder where it is wanted.

        Raises:
            ValueError: when the folder is a link that leads elsewhere.
        """
        if wanted:
            self.path.mkdir(parents=True, exist_ok=True)
        if not self.path.is_dir():
            return
        if not self.path.resolve().is_relative_to(self.output_dir.resolve()):
            raise ValueError(f"'{self.path}' is a link out of the output folder; remove it or take another output_dir.")
        for path in self.path.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink()
        if not wanted and not any(self.path.iterdir()):
            self.path.rmdir()

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
        path = self.path / f"{number:06d}_{_safe_stem(name)}.{suffix}"
        try:
            path.write_bytes(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.relative_to(self.output_dir).as_posix()


def _safe_stem(name: str) -> str:
    """Return the stem of a file name with nothing that a file system, a shell or a browser could take for more."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).stem)[:60].strip("_") or "image"
