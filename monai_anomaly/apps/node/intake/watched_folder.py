# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A folder whose files are taken in."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from monai_anomaly.apps.node.intake.incoming import PART_PREFIX
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError, Refusals, Taker

__all__ = ["WatchedFolder"]

REFUSED = "refused"
PIECE = 1 << 20
MOST_DEPTH = 8
AGAIN_SECONDS = 60.0  # until a file that could not be read, or removed, is tried again
FULL = (errno.ENOSPC, errno.EDQUOT)

Stamp = tuple[int, int, int]
"""Inode, bytes and time of change: another file under a name, or other content, has another."""


class WatchedFolder:
    """Takes custody of settled files and removes them; what is refused is moved to the folder ``refused`` in it.

    Links and special files are left where they are, and so are files and folders whose name begins with a point: those
    are of programs that are not done. One file that cannot be read holds up no other.

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
        self._dealt_with: dict[Path, Stamp] = {}  # and could not be removed: these must not be taken again
        self._left: dict[Path, float] = {}  # until when; what could not be read, or removed

    def look(self, is_asked_to_end: Callable[[], bool] = lambda: False) -> int:
        """Take in what is settled, and return how many files that were.

        Args:
            is_asked_to_end: asked before each file, of which there may be very many.

        Raises:
            OSError: when the folder itself cannot be read.
        """
        taken, found = 0, list(_files(self._folder))
        self._dealt_with = {path: self._dealt_with[path] for path in found if path in self._dealt_with}
        self._left = {path: self._left[path] for path in found if path in self._left}
        for path in found:
            if is_asked_to_end():
                break
            if self._left.get(path, 0.0) > time.monotonic():
                continue
            try:
                taken += self._take_one(path)
            except NoRoomError:
                self._refused("folder", "no_room")
                break  # the files stay
            except OSError:
                self._refused("folder", "not_removed" if path in self._dealt_with else "unreadable")
                self._left[path] = time.monotonic() + AGAIN_SECONDS
        return taken

    def _take_one(self, path: Path) -> int:
        """Take a file in; 0 of one that is not settled, is refused, or was taken before.

        Raises:
            NoRoomError: when there is none for it.
            OSError: when it cannot be read, or removed.
        """
        with suppress(FileNotFoundError), _open(path) as source:
            stamp = self._stamp(source)
            if stamp is None:
                return 0
            known, refused = self._dealt_with.get(path) == stamp, False
            if not known:
                try:
                    if not self._take_copy(source, stamp):
                        return 0
                except NotTakenError as error:
                    self._refused("folder", error.code)
                    refused = True
            self._dealt_with[path] = stamp  # custody is taken: only now may it go
            if refused:
                self._put_aside(path)
            else:
                path.unlink(missing_ok=True)
            del self._dealt_with[path]
            return int(not known and not refused)
        return 0

    def _stamp(self, source: BinaryIO) -> Stamp | None:
        """Return what tells a settled file from another; None of one that changed a moment ago, or is no plain file."""
        status = os.fstat(source.fileno())
        age = abs(time.time() - status.st_mtime)  # a wrong clock may have made it tomorrow
        if not stat.S_ISREG(status.st_mode) or age < self._settle_seconds:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _take_copy(self, source: BinaryIO, stamp: Stamp) -> bool:
        """Take custody of a copy; of what changed meanwhile not."""
        if stamp[1] > self._max_bytes:
            raise NotTakenError("too_large")
        copy = self._incoming / f"{PART_PREFIX}{secrets.token_hex(12)}"
        try:
            with _full_disk_is_no_room(), open(copy, "xb") as target:
                left = self._max_bytes
                while (piece := source.read(min(PIECE, left + 1))) and left >= 0:
                    target.write(piece)
                    left -= len(piece)
            if self._stamp(source) != stamp:
                return False
            try:
                self._take(copy, "folder", None)
            except OSError:  # of the spool; the file itself is in order
                raise NoRoomError from None
        finally:
            copy.unlink(missing_ok=True)
        return True

    def _put_aside(self, path: Path) -> None:
        """Move a file that is never taken in; its name is kept, so that its sender finds it."""
        aside = self._folder / REFUSED
        aside.mkdir(exist_ok=True)
        target = aside / path.name
        if target.exists():
            target = aside / f"{secrets.token_hex(4)}-{os.fsdecode(os.fsencode(path.name)[-200:])}"
        os.replace(path, target)


@contextmanager
def _full_disk_is_no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise NoRoomError from None
        raise


def _open(path: Path) -> BinaryIO:
    """Open what is no link, without waiting for what is no file; a link is as if it were not there.

    Raises:
        OSError: when it cannot be read.
    """
    try:
        return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError from None
        raise


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Give the files of a folder and those in it; a folder in it that cannot be read has none.

    Raises:
        OSError: when the folder itself cannot be read.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        if depth == 0:
            raise
        return
    for entry in entries:
        if entry.name.startswith(".") or (depth == 0 and entry.name == REFUSED):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < MOST_DEPTH:
                yield from _files(Path(entry.path), depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
