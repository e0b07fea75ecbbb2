# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A gzip file that is inflated in bounded pieces: RFC 1952.

The standard library reads the name in a header byte by byte, and each of a file's members in Python; a file of a few
megabytes can hold a million of them, or a name of that length.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from monai_anomaly.data.errors import ImageReadError

__all__ = ["open_gzip"]

PIECE = 2**16
MAX_MEMBERS = 100_000
"""Members of a file; block-wise writers make one of 64 KiB, and 2 GiB have 33,000 of those."""
GZIP = 16 + zlib.MAX_WBITS


def open_gzip(stream: BinaryIO) -> BinaryIO:
    """Return what is packed in a gzip file, as a file: going back inflates it from the start again.

    Args:
        stream: the packed file; where it stands is the start.

    Raises:
        EOFError: when reading, where the file ends within a member.
        ImageReadError: when reading, ``budget`` for too many members, ``decode_failed`` for damaged ones.
    """
    return io.BufferedReader(_GzipStream(stream), PIECE)


class _GzipStream(io.RawIOBase):
    """The part that inflates."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self._start = stream, stream.tell()
        self._rewind()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the unpacked data."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; back is from the start, and behind the end is the end."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a packed file is not known")
        target = offset + (self._place if whence == io.SEEK_CUR else 0)
        if target < self._place:
            self._rewind()
        while self._place < target and self.read(min(target - self._place, 2**20)):
            pass
        return self._place

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read into a buffer; see :class:`io.RawIOBase`."""
        data = self._inflate(len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _rewind(self) -> None:
        self._stream.seek(self._start)
        self._packed, self._place, self._members = b"", 0, 0
        self._inflater = zlib.decompressobj(GZIP)

    def _inflate(self, most: int) -> bytes:
        """Return up to ``most`` bytes, none at the end."""
        while most:
            packed = self._packed or self._stream.read(PIECE)
            if self._inflater.eof:
                if not packed:
                    return b""
                self._packed = packed.lstrip(b"\0")  # which may stand between members and behind them
                if self._packed:
                    self._begin_member()
                continue
            try:
                data = self._inflater.decompress(packed, most)
            except zlib.error:
                raise ImageReadError("decode_failed", "the packed data are damaged; copy the file again.") from None
            self._packed = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if data:
                return data
            if not packed and not self._inflater.eof:
                raise EOFError
        return b""

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ImageReadError("budget", f"the packed file has more than {MAX_MEMBERS} members; pack it as one.")
        self._inflater = zlib.decompressobj(GZIP)
