# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Lookup tables of a DICOM header: modality, VOI and palette.

pydicom computes a table's index in the table's own type: with 8-bit entries, as many VOI LUTs of radiographs have,
indices above 255 wrap around and the picture is wrong without an error. Its expansion of segmented palettes is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.pixel_values import scale

__all__ = ["LookupTable", "Palette", "read_palette", "read_table"]

DISCRETE, REPEATED = 0, 2
MOST_ENTRIES = 2**16
LONGEST_SEGMENTS = 4 * 2**16
"""Bytes; segments are there to be shorter than the table, which has two for each entry."""
COLORS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class LookupTable:
    """A table over whole numbers; what lies below its first or above its last input takes the nearest entry.

    Args:
        first: input that the first entry belongs to.
        entries: unsigned ``(n,)``.
        maximum: largest value that the entries' nominal depth allows; 0 is the smallest.
    """

    first: int
    entries: np.ndarray
    maximum: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the entries for values of any numeric type; fractions are rounded."""
        index = np.rint(values).astype(np.int64) - self.first
        return np.asarray(self.entries[np.clip(index, 0, len(self.entries) - 1)])


class Palette:
    """The colors of stored values.

    Args:
        tables: red, green and blue.
        dtype: type of stored values.
    """

    def __init__(self, tables: tuple[LookupTable, LookupTable, LookupTable], dtype: np.dtype) -> None:
        self._tables = tables
        self._maximum = max(table.maximum for table in tables)  # the three have one depth, however dark one of them is
        self._dtype = dtype
        self._every: np.ndarray | None = None
        if dtype.itemsize <= 2:
            self._every = self._look_up(np.arange(256**dtype.itemsize, dtype=f"u{dtype.itemsize}").view(dtype))

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Return float32 ``(3, H, W)`` in [0, 1] for ``(H, W)``."""
        stored = stored.astype(self._dtype, copy=False)
        if self._every is None:
            return self._look_up(stored)
        return np.take(self._every, stored.view(f"u{self._dtype.itemsize}"), axis=1)

    def _look_up(self, stored: np.ndarray) -> np.ndarray:
        return np.stack([scale(table(stored), 0, self._maximum) for table in self._tables])


def read_table(dataset: Dataset, sequence: str, low: float, high: float) -> LookupTable:
    """Return the first table of a Modality LUT or VOI LUT Sequence.

    Args:
        dataset: the header, with its ``file_meta``.
        sequence: the sequence's DICOM keyword.
        low: smallest input that is possible.
        high: largest.

    Raises:
        ImageReadError: ``inconsistent`` when it cannot be understood.
    """
    try:
        item = dataset[sequence][0]
        count, first, bits = _descriptor(item, "LUTDescriptor")
        data = item["LUTData"].value
        entries = _words(data, count, _is_little(dataset)) if isinstance(data, bytes) else np.atleast_1d(data)[:count]
        if not 8 <= bits <= 16 or len(entries) < count:
            raise ValueError
        first = _place(first, count, low, high)
        return LookupTable(first, np.asarray(entries).astype(np.uint16), 2.0**bits - 1)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise ImageReadError("inconsistent", f"{element(sequence)} is malformed; correct the export.") from None


def read_palette(dataset: Dataset, dtype: np.dtype) -> Palette:
    """Return the palette of an image, a segmented one expanded.

    Args:
        dataset: the header, with its ``file_meta``.
        dtype: type of stored values.

    Raises:
        ImageReadError: ``missing_tag`` or ``inconsistent``.
    """
    for color in COLORS:
        descriptor, data = f"{color}PaletteColorLookupTableDescriptor", f"{color}PaletteColorLookupTableData"
        if dataset.get(descriptor) is None or (dataset.get(data) or dataset.get(f"Segmented{data}")) is None:
            raise ImageReadError(
                "missing_tag", f"{element(descriptor)} or {element(data)} is missing; export the image as RGB."
            )
    try:
        red, green, blue = (_read_color(dataset, color, dtype.kind == "i") for color in COLORS)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise ImageReadError(
            "inconsistent",
            f"{element('RedPaletteColorLookupTableDescriptor')} and the palettes do not fit each other; export the "
            "image as RGB.",
        ) from None
    return Palette((red, green, blue), dtype)


def _read_color(dataset: Dataset, color: str, signed: bool) -> LookupTable:
    count, stated, bits = _descriptor(dataset, f"{color}PaletteColorLookupTableDescriptor")
    first = stated
    if signed and first > 0x7FFF:
        first -= 0x10000
    elif not signed and first < 0:
        first += 0x10000
    if bits not in (8, 16):
        raise ValueError(bits)
    data = dataset.get(f"{color}PaletteColorLookupTableData")
    if data:
        entries = _words(data, count, _is_little(dataset))
    elif count > 2**bits:
        raise ValueError("pydicom's index would wrap")
    else:
        _check_segments(dataset[f"Segmented{color}PaletteColorLookupTableData"].value, bits, _is_little(dataset))
        entries = apply_color_lut(np.arange(count) + stated, dataset)[..., COLORS.index(color)]
    if len(entries) < count:
        raise ValueError(len(entries))
    wide = entries.dtype.itemsize == 2 and (bits == 16 or entries.max() > 255)
    return LookupTable(first, entries, 65535.0 if wide else 255.0)


def _check_segments(data: bytes, bits: int, little: bool) -> None:
    """Refuse segments that make more entries than a palette has; segments of segments double with each level.

    Raises:
        IndexError: for segments that are cut off.
        ValueError: for too many entries, and segments that repeat segments which repeat.
    """
    if len(data) > LONGEST_SEGMENTS:
        raise ValueError(len(data))
    words = np.frombuffer(data, np.uint8 if bits == 8 else "<u2" if little else ">u2").tolist()
    made = _count_entries(words, 0, len(words), little if bits == 8 else None, deeper=True)
    if made > MOST_ENTRIES:
        raise ValueError(made)


def _count_entries(words: list[int], at: int, segments: int, little: bool | None, *, deeper: bool) -> int:
    """Return how many entries segments make; ``little`` is the order of an offset's bytes, None where it has words."""
    made = 0
    while at + 1 < len(words) and segments and made <= MOST_ENTRIES:
        kind, length = words[at : at + 2]
        at += 2
        segments -= 1
        if kind != REPEATED:
            made += length
            at += length if kind == DISCRETE else 1
        elif deeper:
            start = _offset(words[at : at + (2 if little is None else 4)], little)
            made += 1 + _count_entries(words, start, length, little, deeper=False)
            at += 2 if little is None else 4
        else:
            raise ValueError("repeated segments repeat segments")
    return made


def _offset(parts: list[int], little: bool | None) -> int:
    """Return where repeated segments begin, as pydicom finds it."""
    if little is None:
        return parts[1] << 16 | parts[0]
    order = (3, 2, 1, 0) if little else (2, 3, 0, 1)
    return int.from_bytes(bytes(parts[place] for place in order), "big")


def _descriptor(dataset: Dataset, keyword: str) -> tuple[int, int, int]:
    """Return the number of entries, the first input and the bits of an entry; 0 entries stand for 65536."""
    count, first, bits = (int(value) for value in dataset[keyword].value)
    return count % 0x10000 or 0x10000, first, bits


def _place(first: int, count: int, low: float, high: float) -> int:
    """Return the first input of a table; writers often give a negative one as an unsigned word, or the reverse.

    Raises:
        ValueError: for a table that no possible input falls in.
    """
    for start in (first, first - 0x10000 if first >= 0 else first + 0x10000):
        if start <= high and start + count > low:
            return start
    raise ValueError(first)


def _words(data: bytes, count: int, little: bool) -> np.ndarray:
    """Return a table's entries from bytes: one or two for an entry, words in the file's byte order."""
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2").astype(np.uint16)
    return words[:count] if len(words) >= count else words.astype("<u2").view(np.uint8)[:count]


def _is_little(dataset: Dataset) -> bool:
    return bool(dataset.file_meta.TransferSyntaxUID.is_little_endian)
