# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which bytes a result is of: a keyed digest of the file, sure to be that of the bytes that were read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, BinaryIO, NamedTuple, TypeVar

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import META_START, check_regular
from monai_anomaly.utils.identity import site_key, stream_digest

__all__ = ["INPUT_DIGEST", "FileState", "InputDigests", "file_state"]

INPUT_DIGEST = "input_digest"
"""Key of a record: 64 hexadecimal digits, empty where there is no file, or none that could be read."""

LONGEST_FILE = 4 * 2**30
"""Bytes of a file above which it gets no digest: more than any picture within the reader's limits needs."""

_TRIALS = 2
_OWN_PIXELS = re.compile(rb"ElementDataFile\s*=\s*LOCAL\b")
_T = TypeVar("_T")


class FileState(NamedTuple):
    """What the file system says of a file, which differs when its bytes were replaced or written to."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class InputDigests:
    """Reads files, and says which bytes they had: the HMAC-SHA256 of a file's content with this site's key.

    The file is hashed after it was read, in pieces, and only where reading it went well, so that the time is bounded by
    the size of a good file. Its identity, size and times in the file system must be the same before the reading and
    after the hashing; where they are not, it is read once more, and then refused. The digest of the last file is kept,
    for the frames of a cine. It may be used from several threads and in several processes.
    """

    def __init__(self) -> None:
        self._last: tuple[str, FileState, str] | None = None

    def read(
        self, item: Mapping[str, Any], transform: Callable[[Any], _T], before: FileState | None = None
    ) -> tuple[_T, str]:
        """Return what a transform makes of an item, and the digest of the item's file.

        Args:
            item: with ``image``, a path or a picture in memory; the latter's digest is empty, as that of a file of more
                than 4 GiB, and of a MetaImage's header whose pixels are in another file.
            transform: reads the file.
            before: the file's state before the first of its bytes was read, where that may be ahead; None for now.

        Raises:
            ImageReadError: whatever is wrong with the file; ``inconsistent`` where it changes all the time.
            ConfigError: without a key; see :func:`monai_anomaly.utils.identity.site_key`.
        """
        path = item["image"]
        if not isinstance(path, (str, PathLike)):
            return transform(dict(item)), ""
        for _ in range(_TRIALS):
            known, before = before or file_state(path), None
            result = transform(dict(item))
            digest = self._digest(path, known)
            if digest is not None:
                return result, digest
        raise ImageReadError("inconsistent", "the file was changed while it was read; score it when it is whole.")

    def of(self, path: str | PathLike[str]) -> str:
        """Return the digest of a file as it is; empty where it cannot be read, is too large, or changes meanwhile."""
        try:
            return self._digest(path, file_state(path)) or ""
        except ImageReadError:
            return ""

    def _digest(self, path: str | PathLike[str], before: FileState) -> str | None:
        """Return the digest of a file; None where it is not as it was before."""
        name = os.fspath(path)
        last = self._last
        if last is not None and last[:2] == (name, before):
            digest = last[2]
        elif before.size > LONGEST_FILE:
            digest = ""
        else:
            key = site_key()
            with boundary("reading the file"), open(path, "rb") as stream:
                if _of(os.fstat(stream.fileno())) != before:
                    return None
                digest = "" if _has_pixels_elsewhere(stream) else stream_digest(stream, key, LONGEST_FILE)
        if file_state(path) != before:
            return None
        self._last = (name, before, digest)
        return digest


def _has_pixels_elsewhere(stream: BinaryIO) -> bool:
    """Return whether a file is the header of a MetaImage whose pixels are in another one; leaves it at its start."""
    head = stream.read(2**14)
    stream.seek(0)
    return META_START.match(head) is not None and _OWN_PIXELS.search(head) is None


def file_state(path: str | PathLike[str]) -> FileState:
    """Return what differs when a file's bytes do.

    Raises:
        ImageReadError: for what is no file.
    """
    with boundary("reading the file"):
        check_regular(path)
        return _of(os.stat(path))


def _of(status: os.stat_result) -> FileState:
    return FileState(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
