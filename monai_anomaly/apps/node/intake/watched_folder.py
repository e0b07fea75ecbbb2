# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A folder whose files are taken in."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from monai_anomaly.apps.node.intake.incoming import PART_PREFIX
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError, Refusals, Taker

__all__ = ["WatchedFolder"]

REFUSED = "refused"
PIECE = 1 << 20
MOST_DEPTH = 8


class WatchedFolder:
    """Takes custody of settled files and removes them; what is refused is moved to the folder ``refused`` in it.

    Links and special files are left where they are, and so are files and folders whose name begins with a point: those
    are of programs that are not done.

    Args:
        folder: to look into.
        incoming: where a copy is made, in the spool's file system.
        take: takes custody.
        refused: counts what is refused.
        settle_seconds: how long a file must not have changed.
        max_bytes: of one file.
    """

    def __init__(
        self, folder: Path, incoming: Path, take: Taker, refused: Refusals, *, settle_seconds: float, max_bytes: int
    ) -> None:
        self._folder, self._incoming = folder, incoming
        self._take, self._refused = take, refused
        self._settle_seconds, self._max_bytes = settle_seconds, max_bytes

    def look(self) -> int:
        """Take in what is settled, and return how many files that were."""
        taken = 0
        for path in list(_files(self._folder, 0)):
            try:
                taken += self._take_one(path)
            except NoRoomError:
                self._refused("folder", "no_room")
                break  # the files stay
            except NotTakenError as error:
                self._refused("folder", error.code)
                self._put_aside(path)
        return taken

    def _take_one(self, path: Path) -> int:
        copy = self._incoming / f"{PART_PREFIX}{secrets.token_hex(12)}"
        try:
            if not self._copy(path, copy):
                return 0
            self._take(copy, "folder", None)
        finally:
            copy.unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # only now: custody is taken
        return 1

    def _copy(self, path: Path, copy: Path) -> bool:
        """Copy a settled file; a link, or what changed meanwhile, is left for later."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOENT, errno.EACCES):
                return False
            raise
        with open(descriptor, "rb") as source, open(copy, "xb") as target:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode) or time.time() - before.st_mtime < self._settle_seconds:
                return False
            if before.st_size > self._max_bytes:
                raise NotTakenError("too_large")
            while piece := source.read(PIECE):
                target.write(piece)
            after = os.fstat(descriptor)
        return (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    def _put_aside(self, path: Path) -> None:
        """Move a file that is never taken in; its name is kept, so that its sender finds it."""
        aside = self._folder / REFUSED
        aside.mkdir(exist_ok=True)
        target = aside / path.name
        if target.exists():
            target = aside / f"{secrets.token_hex(4)}-{path.name[:200]}"
        os.replace(path, target)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith(".") or (depth == 0 and entry.name == REFUSED):
            continue
        if entry.is_dir(follow_symlinks=False) and depth < MOST_DEPTH:
            yield from _files(Path(entry.path), depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
