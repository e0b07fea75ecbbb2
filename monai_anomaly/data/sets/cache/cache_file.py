# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Decoded pictures and what is known of them as one file, which is read by the picture.

```
records     of each picture the numbers, little-endian (see levels.py), one behind the other
index       JSON: shape, and a list for each thing that is known of the pictures
footer      64 bytes: mark, version, place, length and SHA-256 of the index
```

NumPy's ``memmap`` would need pictures of one type, counts every page that was looked at as memory of the process, and
ends the process by a signal where a disk fails; a read at a place (``pread``) raises an error. Either way the system
keeps what was read in its page cache, once for all processes. MONAI's ``PersistentDataset`` has a pickled file for each
image.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from monai_anomaly.data.sets.cache.contents import Contents, Refused
from monai_anomaly.data.sets.cache.levels import Record, decode, dtype_of, encode
from monai_anomaly.utils.exceptions import CacheError

__all__ = ["VERSION", "CacheFile", "CacheWriter"]

VERSION = 1
"""Of this format; part of the file's name."""

_MARK = b"MAIMAGES"
_FOOTER = struct.Struct("<8sIIQQ32s")
_PLAIN = ("positions", "limits", "hashes")


class CacheWriter:
    """Writes a cache: pictures one by one, then :meth:`finish`.

    Args:
        stream: an empty file, open for writing.

    Attributes:
        length: bytes of the pictures that were written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._levels: list[int] = []
        self._checks: list[int] = []
        self.length = 0

    @staticmethod
    def bytes_of(picture: npt.NDArray[np.float32]) -> int:
        """Return the bytes that a picture takes."""
        return encode(picture)[0].nbytes

    def add(self, picture: npt.NDArray[np.float32]) -> None:
        """Write a picture ``(C, H, W)``."""
        record, levels = encode(picture)
        content = record.tobytes()
        self._stream.write(content)
        self._levels.append(levels)
        self._checks.append(zlib.crc32(content))
        self.length += len(content)

    def finish(self, contents: Contents) -> None:
        """Write what is known of the pictures."""
        index = {
            "shape": contents.shape,
            **{name: getattr(contents, name) for name in _PLAIN},
            "levels": self._levels,
            "checks": self._checks,
            "facts": _columns(contents.facts),
            "origins": _columns(contents.origins),
            "refused": [asdict(item) for item in contents.refused],
        }
        text = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        self._stream.write(text)
        digest = hashlib.sha256(text).digest()
        self._stream.write(_FOOTER.pack(_MARK, VERSION, 0, self.length, len(text), digest))


class CacheFile:
    """Reads a cache; its pictures are checked when they are read first.

    It may be used from several threads, and in several processes.

    Args:
        path: the file.

    Attributes:
        contents: what is known of the pictures.
        shape: ``(C, H, W)`` of each.

    Raises:
        CacheError: for a damaged file, or one that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        index = self._read_index()
        self.contents = Contents(
            shape=tuple(index["shape"]),
            **{name: index[name] for name in _PLAIN},
            facts=_rows(index["facts"], len(index["levels"])),
            origins=_rows(index["origins"], len(index["levels"])),
            refused=[Refused(**item) for item in index["refused"]],
        )
        self.shape = self.contents.shape
        self._levels: list[int] = index["levels"]
        self._checks: list[int] = index["checks"]
        sizes = np.prod(self.shape, dtype=np.int64) * np.array(
            [dtype_of(level).itemsize for level in self._levels], int
        )
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._checked = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return len(self._levels)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def read_into(self, row: int, out: npt.NDArray[np.float32]) -> None:
        """Write a picture into float32 ``(C, H, W)``.

        Raises:
            CacheError: when it is damaged, or cannot be read.
        """
        start, end = int(self._starts[row]), int(self._starts[row + 1])
        content = self._read(start, end - start)
        if not self._checked[row]:
            if zlib.crc32(content) != self._checks[row]:
                raise self._damaged("a picture is not what was written")
            self._checked[row] = True
        levels = self._levels[row]
        record = cast(Record, np.frombuffer(content, dtype_of(levels)).reshape(self.shape))
        decode(record, levels, out)

    def _open(self) -> None:
        try:
            self._lock = threading.Lock()
            self._file = open(self.path, "rb", buffering=0)
        except OSError as error:
            raise CacheError(
                f"the image cache '{self.path}' cannot be read ({error.strerror}); grant permission to read it, or "
                "remove it."
            ) from None

    def _read(self, start: int, length: int) -> bytes:
        try:
            content = self._read_at(start, length)
        except OSError as error:
            raise self._damaged(f"reading it failed: {error.strerror}") from None
        if len(content) != length:
            raise self._damaged("it is cut off")
        return content

    def _read_at(self, start: int, length: int) -> bytes:
        if hasattr(os, "pread"):  # moves no position, which forked processes share
            return os.pread(self._file.fileno(), length, start)
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)

    def _read_index(self) -> dict[str, Any]:
        size = os.fstat(self._file.fileno()).st_size
        if size < _FOOTER.size:
            raise self._damaged("it is cut off")
        mark, version, _, start, length, digest = _FOOTER.unpack(self._read(size - _FOOTER.size, _FOOTER.size))
        if mark != _MARK or version != VERSION or start + length + _FOOTER.size != size:
            raise self._damaged("its end is not what was written")
        text = self._read(start, length)
        if hashlib.sha256(text).digest() != digest:
            raise self._damaged("its index is not what was written")
        index: dict[str, Any] = json.loads(text)
        return index

    def _damaged(self, reason: str) -> CacheError:
        return CacheError(f"the image cache '{self.path}' is damaged ({reason}); remove it, and it is made anew.")


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return a list for each key, which takes a fifth of the bytes; None where a row has no such key."""
    return {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}


def _rows(columns: Mapping[str, Sequence[Any]], count: int) -> list[Mapping[str, Any]]:
    return [{key: column[row] for key, column in columns.items() if column[row] is not None} for row in range(count)]
