# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The directories of a TIFF or BigTIFF: the tags that pixels depend on, and nothing beyond bounds.

tifffile and Pillow read every tag of every page at once, follow what a damaged one points to, and go on with a line in
a log where a tag makes no sense; a picture that they make of the rest is not the one in the file. Here a file of any
size costs a few bytes a page, and a tag that makes no sense is an error.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from monai_anomaly.data.errors import ImageReadError

__all__ = ["SUB_DIRECTORIES", "Directory", "read_directories"]

SUB_DIRECTORIES = 330

TAGS = {
    254: "NewSubfileType",
    255: "SubfileType",
    256: "ImageWidth",
    257: "ImageLength",
    258: "BitsPerSample",
    259: "Compression",
    262: "PhotometricInterpretation",
    266: "FillOrder",
    270: "ImageDescription",
    273: "StripOffsets",
    274: "Orientation",
    277: "SamplesPerPixel",
    278: "RowsPerStrip",
    279: "StripByteCounts",
    284: "PlanarConfiguration",
    317: "Predictor",
    320: "ColorMap",
    322: "TileWidth",
    323: "TileLength",
    324: "TileOffsets",
    325: "TileByteCounts",
    SUB_DIRECTORIES: "SubIFDs",
    332: "InkSet",
    338: "ExtraSamples",
    339: "SampleFormat",
    347: "JPEGTables",
    529: "YCbCrCoefficients",
    532: "ReferenceBlackWhite",
    32997: "ImageDepth",
    33629: "UIC2tag",
}
"""Number of a tag -> its name in the format's own words; no other tag is looked at."""

NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Type of a tag's value -> its letter for struct, of whole numbers from 0."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
RATIONAL = 5
TEXTS = (1, 2, 7)
MOST_TAGS = 512


class _File:
    """A TIFF's bytes, of which a part that is not there is an error."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.size = stream.seek(0, 2)
        head = self.read(0, 8)
        self.order = "<" if head[:2] == b"II" else ">"
        self.big = self.unpack("H", head[2:4])[0] == 43
        if self.big:
            if self.unpack("HH", head[4:8]) != (8, 0):
                raise ImageReadError("decode_failed", "the header of the BigTIFF is damaged; copy the file again.")
            head = self.read(8, 8)
        self.first = int(self.unpack("Q" if self.big else "I", head if self.big else head[4:8])[0])

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file.

        Raises:
            ImageReadError: ``truncated``, where they are not in it.
        """
        if offset + count <= self.size:
            self.stream.seek(offset)
            content = self.stream.read(count)
            if len(content) == count:
                return content
        raise ImageReadError("truncated", "the TIFF points to data behind its end; copy the file again.")

    def unpack(self, letters: str, content: bytes) -> tuple[int, ...]:
        """Return numbers in the file's byte order."""
        return struct.unpack(self.order + letters, content)


class Directory:
    """The tags of one picture of a TIFF; values are read when they are asked for.

    Args:
        file: the TIFF.
        entries: of each known tag, its type, the count of its values and where they are.
    """

    def __init__(self, file: _File, entries: dict[int, tuple[int, int, bytes]]) -> None:
        self._file = file
        self._entries = entries

    @property
    def order(self) -> str:
        """Byte order of the file, ``"<"`` or ``">"``."""
        return self._file.order

    @property
    def file_size(self) -> int:
        """Bytes of the file."""
        return self._file.size

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def count(self, tag: int) -> int:
        """Return how many values a tag has, 0 without it."""
        return self._entries[tag][1] if tag in self._entries else 0

    def numbers(self, tag: int, most: int) -> tuple[int, ...]:
        """Return the values of a tag, all whole numbers from 0; none without it.

        Args:
            tag: its number.
            most: of how many values at most it may have.

        Raises:
            ImageReadError: ``inconsistent`` for other values or more of them, or ``truncated``.
        """
        if tag not in self._entries:
            return ()
        kind, count, _ = self._entries[tag]
        if kind not in NUMBERS or not 1 <= count <= most:
            raise _senseless(tag)
        return self._file.unpack(f"{count}{NUMBERS[kind]}", self._content(tag))

    def number(self, tag: int, default: int | None = None) -> int:
        """Return the one value of a tag.

        Args:
            tag: its number.
            default: its value where there is no such tag; None for a tag that must be there.

        Raises:
            ImageReadError: ``inconsistent`` or ``truncated``.
        """
        values = self.numbers(tag, 1)
        if values:
            return values[0]
        if default is None:
            raise ImageReadError("inconsistent", f"the TIFF has no {TAGS[tag]} ({tag}); export the file again.")
        return default

    def ratios(self, tag: int, most: int) -> tuple[float, ...]:
        """Return the values of a tag of fractions; none without it.

        Raises:
            ImageReadError: ``inconsistent`` or ``truncated``.
        """
        if tag not in self._entries:
            return ()
        kind, count, _ = self._entries[tag]
        if kind != RATIONAL or not 1 <= count <= most:
            raise _senseless(tag)
        parts = self._file.unpack(f"{2 * count}I", self._content(tag))
        if 0 in parts[1::2]:
            raise _senseless(tag)
        return tuple(above / below for above, below in zip(parts[::2], parts[1::2], strict=True))

    def content(self, tag: int, most: int) -> bytes:
        """Return the bytes of a tag; none without it.

        Raises:
            ImageReadError: ``inconsistent`` for another type or more bytes, or ``truncated``.
        """
        if tag not in self._entries:
            return b""
        kind, count, _ = self._entries[tag]
        if kind not in TEXTS or count > most:
            raise _senseless(tag)
        return self._content(tag)

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file.

        Raises:
            ImageReadError: ``truncated``, where they are not in it.
        """
        return self._file.read(offset, count)

    def _content(self, tag: int) -> bytes:
        kind, count, place = self._entries[tag]
        size = count * SIZES[kind]
        if size <= len(place):
            return place[:size]
        return self._file.read(self._file.unpack("Q" if self._file.big else "I", place)[0], size)


def _senseless(tag: int) -> ImageReadError:
    return ImageReadError("inconsistent", f"{TAGS[tag]} ({tag}) of the TIFF makes no sense; export the file again.")


def read_directories(stream: BinaryIO, most: int) -> list[Directory]:
    """Return the directories of a TIFF in their order, without those below others (SubIFDs); never none.

    Args:
        stream: the open file; stays open as long as values are read.
        most: of how many at most.

    Raises:
        ImageReadError: ``budget`` for more of them; ``truncated``, ``decode_failed`` or ``inconsistent`` for a damaged
            chain.
    """
    file = _File(stream)
    directories: list[Directory] = []
    seen: set[int] = set()
    offset = file.first
    while offset:
        if offset in seen:
            raise ImageReadError("inconsistent", "the pages of the TIFF form a ring; export the file again.")
        if len(seen) == most:
            raise ImageReadError("budget", f"more than {most} pages exceed max_frames={most}; raise it.")
        seen.add(offset)
        entries, offset = _read_entries(file, offset)
        directories.append(Directory(file, entries))
    if not directories:
        raise ImageReadError("decode_failed", "the TIFF holds no picture; copy or export the file again.")
    return directories


def _read_entries(file: _File, offset: int) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """Return the known tags of the directory at a place, and the place of the next one."""
    head, size, letters, pointer = (8, 20, "HHQ", "Q") if file.big else (2, 12, "HHI", "I")
    width = struct.calcsize("<" + pointer)
    (count,) = file.unpack("Q" if file.big else "H", file.read(offset, head))
    if not 1 <= count <= MOST_TAGS:
        raise ImageReadError("decode_failed", "a directory of the TIFF is damaged; copy the file again.")
    content = file.read(offset + head, count * size + width)
    entries: dict[int, tuple[int, int, bytes]] = {}
    for tag, kind, number, place in struct.iter_unpack(f"{file.order}{letters}{width}s", content[: count * size]):
        if tag == kind == 0:  # of a copy that lost it; what is missing would take its default
            raise ImageReadError("decode_failed", "a directory of the TIFF is damaged; copy the file again.")
        if tag in TAGS:
            if tag in entries or kind not in SIZES:
                raise _senseless(tag)
            entries[tag] = (kind, number, place)
    return entries, int(file.unpack(pointer, content[-width:])[0])
