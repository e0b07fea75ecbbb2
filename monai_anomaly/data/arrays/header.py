# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the header of an array format declares, and the checks that NIfTI, NRRD and MetaImage share.

The first stored axis runs along the columns and the second along the rows, as tools that write a picture to these
formats store it. Matrices of direction and orientation never flip or turn the picture, because a two-dimensional
ultrasound or radiograph has no position in the patient.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = [
    "ArrayHeader",
    "Chunks",
    "ZlibStream",
    "check_inflated",
    "check_sizes",
    "check_stored",
    "count_frames",
    "parse_sizes",
    "to_spacing",
]

CHUNK = 2**20


@dataclass(frozen=True)
class ArrayHeader:
    """A header that was parsed; :func:`check_sizes` has still to hold it against the limits.

    Args:
        shape: axes of pixels and of time, in the order in which they are stored; color is not among them.
        dtype: type of one stored number, in the file's byte order; one with fields holds all channels of a pixel.
        offset: where the data begins, in bytes from the start of its file.
        channels: 1 or 3 numbers per pixel.
        packed: ``""``, ``"gzip"`` or ``"zlib"``.
        packed_size: bytes of the packed data where the header gives them.
        spacing: ``(row, column)`` in mm per pixel, or None.
        data_file: name of the file with the data, next to the header; empty where both are one file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    channels: int = 1
    packed: str = ""
    packed_size: int | None = None
    spacing: tuple[float, float] | None = None
    data_file: str = ""

    @property
    def size(self) -> int:
        """Bytes of the data, unpacked."""
        numbers = 1 if self.dtype.names else self.channels
        return math.prod(self.shape) * numbers * self.dtype.itemsize


class Chunks(Protocol):
    """Yields the bytes that follow, ``b""`` at the end."""

    def read(self, size: int, /) -> bytes: ...


def count_frames(shape: tuple[int, ...], frames_axis: int | None) -> int:
    """Return the length of the axis of frames; refuse arrays with a third axis that nobody named.

    Args:
        shape: axes as stored, without color.
        frames_axis: index of the stored axis that counts frames, 2 or more; None for one picture.

    Raises:
        ImageReadError: ``ambiguous_axes``, or ``inconsistent`` for sizes below 1 or an axis that is none.
    """
    if len(shape) < 2 or min(shape) < 1:
        raise ImageReadError("inconsistent", f"the array has shape {shape}; a picture needs two axes of pixels.")
    if frames_axis is not None and not 2 <= frames_axis < len(shape):
        raise ImageReadError(
            "inconsistent",
            f"frames_axis={frames_axis} is no axis of the array's shape {shape} beyond its rows and columns; "
            "correct frames_axis.",
        )
    if any(n != 1 for axis, n in enumerate(shape) if axis >= 2 and axis != frames_axis):
        raise ImageReadError(
            "ambiguous_axes",
            f"the array has shape {shape}, more than one picture; set frames_axis to the axis that counts frames.",
        )
    return 1 if frames_axis is None else shape[frames_axis]


def parse_sizes(sizes: str, axes: str, *, names: tuple[str, str], most: int) -> tuple[int, ...]:
    """Return the length of every axis that a text header gives.

    Args:
        sizes: whole numbers between spaces.
        axes: their number.
        names: what the header calls the two.
        most: axes that are read.

    Raises:
        ImageReadError: ``inconsistent``, or ``unsupported`` for another number of axes than 2 to ``most``.
    """
    words = sizes.split()
    if not all(re.fullmatch("[0-9]{1,12}", word) for word in words) or axes != str(len(words)):
        raise ImageReadError(
            "inconsistent", f"{names[0]} holds not as many whole numbers as {names[1]} says; export the file again."
        )
    if not 2 <= len(words) <= most:
        raise ImageReadError("unsupported", f"the array has {len(words)} axes; store a picture with two.")
    return tuple(int(word) for word in words)


def check_sizes(header: ArrayHeader, limits: ReadLimits, frames_axis: int | None) -> int:
    """Check axes and sizes against the limits; nothing was inflated by then.

    Args:
        header: the header.
        limits: the limits.
        frames_axis: see :func:`count_frames`.

    Returns:
        The number of frames.

    Raises:
        ImageReadError: ``budget``, ``ambiguous_axes`` or ``inconsistent``.
    """
    frames = count_frames(header.shape, frames_axis)
    columns, rows = header.shape[:2]
    size = max(header.dtype.itemsize, 4) * header.channels
    check_budget(limits, rows=rows, columns=columns, frames=frames, bytes_per_pixel=size)
    return frames


def check_stored(stored: int, declared: int) -> None:
    """Compare the bytes that a file holds with those that its header declares.

    Args:
        stored: bytes of data in the file, unpacked.
        declared: bytes that the header declares.

    Raises:
        ImageReadError: ``truncated`` or ``inconsistent``.
    """
    if stored < declared:
        raise ImageReadError("truncated", "the file ends before its last pixel; copy it again.")
    if stored > declared:
        raise ImageReadError("inconsistent", "the file holds more data than its header declares; export it again.")


def check_inflated(source: Chunks, declared: int, *, skip: int = 0) -> None:
    """Inflate packed data piece by piece, keep nothing and stop right after what the header declares.

    Args:
        source: the inflating stream.
        declared: bytes that the header declares.
        skip: bytes ahead of the data.

    Raises:
        ImageReadError: ``truncated`` or ``inconsistent``.
        EOFError: where the packed stream itself is cut.
    """
    inflated, total = 0, declared + skip
    while inflated <= total and (piece := source.read(min(CHUNK, total + 1 - inflated))):
        inflated += len(piece)
    check_stored(inflated, total)


class ZlibStream:
    """Inflates the rest of a file as one zlib stream, in bounded pieces; the standard library has none that reads so.

    Args:
        stream: the file, at the start of the packed data.
        size: bytes of the packed data; None for everything up to the end of the file.
    """

    def __init__(self, stream: IO[bytes], size: int | None) -> None:
        self._stream, self._left = stream, size
        self._inflater = zlib.decompressobj()

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` inflated bytes, none at the end of the zlib stream.

        Raises:
            EOFError: where the packed stream is cut.
            ImageReadError: ``inconsistent`` where bytes follow it.
        """
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._next()
            if piece := self._inflater.decompress(packed, size):
                return piece
            if not packed:
                raise EOFError
        if self._inflater.unused_data or self._next():
            raise ImageReadError("inconsistent", "bytes follow the compressed data; export the file again.")
        return b""

    def _next(self) -> bytes:
        piece = self._stream.read(CHUNK if self._left is None else min(CHUNK, self._left))
        if self._left is not None:
            self._left -= len(piece)
        return piece


def to_spacing(column: float, row: float, factor: float = 1.0) -> tuple[float, float] | None:
    """Return ``(row, column)`` in mm per pixel, or None unless both are positive and finite.

    Args:
        column: length of a step along the first stored axis.
        row: length of a step along the second stored axis.
        factor: mm per unit of length.
    """
    values = (row * factor, column * factor)
    return values if all(math.isfinite(v) and v > 0 for v in values) else None
