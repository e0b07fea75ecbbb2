# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where files lie that the node has taken custody of, until nobody needs them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.apps.node.intake.taking import NoRoomError
from monai_anomaly.utils.atomic import sync_folder
from monai_anomaly.utils.file_digest import opened_digest

__all__ = ["Spool", "Spooled"]


@dataclass(frozen=True)
class Spooled:
    """A file that is on the disk.

    Args:
        digest: SHA-256 of its bytes.
        size: its bytes.
        path: relative to the node's folder; it is named after the digest.
        is_new: whether these bytes were not there before.
    """

    digest: str
    size: int
    path: str
    is_new: bool


class Spool:
    """Keeps each content once, named after its digest.

    Args:
        folder: the node's; made when missing.
        min_free_bytes: what must be free on its file system for a file to be taken.
    """

    def __init__(self, folder: Path, min_free_bytes: int = 0) -> None:
        self.folder = folder
        self.min_free_bytes = min_free_bytes
        self.incoming = folder / "spool" / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def commit(self, temporary: Path) -> Spooled:
        """Take a file over: when this returns it survives a loss of power.

        Args:
            temporary: a file in ``incoming``, which nobody writes any more; it is moved away.

        Raises:
            NoRoomError: when the disk has too little room.
            OSError: when it cannot be written.
        """
        self.require_room()
        with open(temporary, "rb") as file:
            digest = opened_digest(file)
            size = os.fstat(file.fileno()).st_size
            os.fsync(file.fileno())
        path = f"spool/{digest[:2]}/{digest}.dcm"
        target = self.folder / path
        if target.exists():
            temporary.unlink()
            sync_folder(target.parent)  # who wrote it may not have come so far
            return Spooled(digest, size, path, False)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(target.parent.parent)
        os.replace(temporary, target)
        sync_folder(target.parent)
        return Spooled(digest, size, path, True)

    def require_room(self) -> None:
        """Raise NoRoomError when the disk has too little room."""
        if shutil.disk_usage(self.folder).free < self.min_free_bytes:
            raise NoRoomError

    def path(self, relative: str) -> Path:
        """Return where a file lies."""
        return self.folder / relative

    def remove(self, relative: str) -> None:
        """Remove a file that nobody needs; one that is gone already is no error."""
        (self.folder / relative).unlink(missing_ok=True)
