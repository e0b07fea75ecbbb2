# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The maps of a shard, in one archive: a hundred thousand small files are a burden, and cost money in a store."""

from __future__ import annotations

import zipfile
from pathlib import Path

from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.handlers.scoring.inference_files import MAPS_FOLDER

__all__ = ["MapArchive"]

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Date of all members, so that equal maps make equal bytes."""


class MapArchive:
    """A zip archive of maps, which are compressed already, in a folder here until it is put in its place.

    Args:
        folder: for the archive, which may grow to the size of all maps of a shard.
        shard: its name.
    """

    def __init__(self, folder: Path, shard: str) -> None:
        self.name = f"{MAPS_FOLDER}/{shard}.zip"
        self._path = folder / f"{shard}.zip"
        self._archive = zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED)

    def add(self, path: Path) -> str:
        """Move a map into the archive, and return where it is: the archive's path, ``/`` and its name in there."""
        member = zipfile.ZipInfo(path.name, EARLIEST)
        self._archive.writestr(member, path.read_bytes())
        path.unlink()
        return f"{self.name}/{path.name}"

    def put(self, place: ResultPlace) -> None:
        """Write the archive to the results, whole or not at all; an empty one is not wanted."""
        self._archive.close()
        if self._archive.namelist():
            place.put(self.name, self._path)
