# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Finds the cache of a data set, or makes it, whole or not at all."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from monai_anomaly.data.sets.cache.cache_file import CacheFile, CacheWriter
from monai_anomaly.data.sets.cache.contents import Contents
from monai_anomaly.data.sets.cache.decoding import Keep
from monai_anomaly.utils.atomic import TEMPORARY_MARK, atomic_path
from monai_anomaly.utils.cache_folder import cache_folder
from monai_anomaly.utils.exceptions import CacheError

__all__ = ["images_folder", "open_or_make"]

FULL = (errno.ENOSPC, errno.EDQUOT)
logger = logging.getLogger(__name__)


def images_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the caches: the one that is named, else ``images`` in this package's cache folder."""
    return cache_folder() / "images" if cache_dir is None else Path(cache_dir).expanduser()


def open_or_make(
    path: Path, decode: Callable[[Keep], Contents], count: int, max_bytes: int | None = None
) -> tuple[CacheFile, bool]:
    """Return the cache at a path, and whether it had to be made.

    Of several processes that ask for it one makes it, and the others wait. It is written under another name and renamed
    when it is whole; what a killed process left is removed by the next that makes it. Only this user may read it.

    Args:
        path: its file; missing folders are made.
        decode: decodes all images and gives each picture to the function that it is called with.
        count: number of images.
        max_bytes: most bytes of all pictures; None for what the disk has.

    Raises:
        CacheError: when there is no room, the folder cannot be written, or the file is damaged.
    """
    if path.is_file():
        return CacheFile(path), False
    with _folder_errors(path), _alone(path):
        made = not path.is_file()
        if made:
            for left in path.parent.glob(f".{path.name[:48]}{TEMPORARY_MARK}*"):
                left.unlink(missing_ok=True)
            with atomic_path(path) as temporary:
                _write(temporary, decode, count, max_bytes)
    return CacheFile(path), made


def _write(temporary: Path, decode: Callable[[Keep], Contents], count: int, max_bytes: int | None) -> None:
    os.chmod(temporary, 0o600)  # these are pictures of patients
    with open(temporary, "wb") as stream:
        writer = CacheWriter(stream)

        def keep(picture: npt.NDArray[np.float32]) -> None:
            if not writer.length:  # all pictures are likely to be as large as the first
                _check_room(temporary.parent, count * CacheWriter.bytes_of(picture), max_bytes)
            writer.add(picture)
            if max_bytes is not None and writer.length > max_bytes:
                _check_room(temporary.parent, writer.length, max_bytes)

        writer.finish(decode(keep))


def _check_room(folder: Path, needed: int, max_bytes: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if needed > (free if max_bytes is None else min(free, max_bytes)):
        allowed = "" if max_bytes is None else f", cache_gib={max_bytes / 2**30:g}"
        raise CacheError(
            f"the decoded images need {needed / 2**30:.2f} GiB in the cache folder '{folder}' ({free / 2**30:.2f} GiB "
            f"free{allowed}); make room, name another cache_dir, lower image_size, or use cache=none."
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from making the same cache at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("another process is decoding these images into the cache; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            os.unlink(lock.lock_file)  # while it is held: filelock refuses one that is no longer there
        lock.release()


@contextmanager
def _folder_errors(path: Path) -> Iterator[None]:
    """Say of what goes wrong with the folder which one it is, and what cures it."""
    try:
        yield
    except OSError as error:
        cure = "make room" if error.errno in FULL else "grant permission to write it"
        raise CacheError(
            f"the cache folder '{path.parent}' cannot be written ({error.strerror}); {cure}, name another cache_dir, "
            "or use cache=memory or none."
        ) from error
