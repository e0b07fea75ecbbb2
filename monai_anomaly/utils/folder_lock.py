# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One run at a time writes into a folder."""

from __future__ import annotations

import errno
import logging
import os
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from filelock import FileLock, Timeout

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.stop_signals import end_if_asked

__all__ = ["LOCK_NAME", "FolderLock"]

LOCK_NAME = ".monai_anomaly.lock"
"""A hidden, empty file in the folder. A killed run leaves it there, unlocked."""

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)

logger = logging.getLogger(__name__)


class _Runnable(Protocol):
    def run(self) -> Any:
        """Do all that there is to do."""


class FolderLock:
    """Keeps folders to this process, so that no other run mixes its records or weights with this one's.

    The system frees the lock of a process that ends, however it ends. In one process runs do not refuse each other:
    a folder is free when each of them has released it, or is gone. Reading needs no lock: files are replaced whole.

    Args:
        folders: what is to be written into, by the key or option that names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, FolderLock({"output_dir": folder}):
        ...     os.listdir(folder)
        ['.monai_anomaly.lock']
    """

    def __init__(self, folders: Mapping[str, str | os.PathLike[str]]) -> None:
        self.folders = {key: Path(folder).expanduser() for key, folder in folders.items()}
        self._held: list[FileLock] = []
        self._made: list[Path] = []
        # also when the run fails and nobody is left to release it, and when the program ends
        self._finalizer = weakref.finalize(self, _release, self._held, self._made, os.getpid())

    def acquire(self) -> None:
        """Make the folders where they are missing, and take them all or none.

        Raises:
            ConfigError: naming the folder that another run writes into, or that cannot be written.
        """
        try:
            for key, folder in self.folders.items():
                self._take(key, folder)
        except ConfigError:
            self.release()
            raise

    def release(self) -> None:
        """Let other runs in, and leave no trace; does nothing where nothing is held."""
        _release(self._held, self._made, os.getpid())

    def run(self, engine: _Runnable) -> None:
        """Run an engine with the folders kept to it, and release them when it ends, however it does.

        Raises:
            SystemExit: after the step in which a signal asked for the program's end.
        """
        with self:
            engine.run()
            end_if_asked()

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _take(self, key: str, folder: Path) -> None:
        try:
            self._make(folder)
            # one lock for a folder in this process, whichever thread and run asks for it
            lock = FileLock(os.path.realpath(folder / LOCK_NAME), is_singleton=True, thread_local=False)
            lock.acquire(blocking=False)
        except Timeout:
            raise ConfigError(
                f"another run is writing into '{folder}': wait until it has ended, or name another {key}."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise ConfigError(
                    f"{key}: the folder '{folder}' cannot be written ({error.strerror}); make room or name another."
                ) from None
            text = "%s: the file system of '%s' knows no locks; see to it that no other run writes there."
            logger.warning(text, key, folder)
        else:
            self._held.append(lock)

    def _make(self, folder: Path) -> None:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._made += reversed(missing)


def _release(held: list[FileLock], made: list[Path], process: int) -> None:
    """Release locks, and remove their files and the folders that were made for them and hold nothing."""
    if os.getpid() != process:  # a forked worker's copy
        return
    while held:
        lock = held.pop()
        if lock.lock_counter == 1:
            # While it is held: filelock refuses a file that is no longer there, so nobody can lock what was removed.
            with suppress(OSError):  # Windows removes no open file
                os.unlink(lock.lock_file)
        lock.release()
    while made:
        with suppress(OSError):
            made.pop().rmdir()
