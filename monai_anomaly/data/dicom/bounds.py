# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much of a DICOM header is parsed: a few megabytes of zeros are a million elements, and take minutes.

pydicom reads elements one after the other, however many there are, and turns a sequence or a text into objects when it
is asked for; what it may be asked for is looked at here before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO, cast

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.tag import Tag

from monai_anomaly.data.dicom.groups import GROUPS, PER_FRAME, SHARED
from monai_anomaly.data.errors import ImageReadError

__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "Budget", "bound_elements", "bounded"]

MAX_ELEMENTS = 500_000
"""Elements of a header, those in sequences included: 2,000 frames with functional groups have half as many."""

MAX_DEPTH = 32
"""Sequences in sequences; structured reports have ten, images three."""

LONGEST_TEXT = 65_534
"""Bytes of an element of numbers or text: as many as its length can say with explicit types."""

LONG_TYPES = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT")
TABLE = 2 * 2**16
"""Bytes of the longest look-up table, which may be numbers or words."""

MAX_BYTES = 128 * 2**20
"""Bytes of a header that are read; single elements beyond 64 MiB are not."""

HEAD = 8
"""Bytes of the head of an element, and of few of their values."""

SEQUENCES = (SHARED, PER_FRAME, *GROUPS, "ModalityLUTSequence", "VOILUTSequence", "SequenceOfUltrasoundRegions")
"""All that the reader looks into; others stay bytes."""


class Budget:
    """Counts elements and bytes of one header."""

    def __init__(self) -> None:
        self._elements, self._bytes = MAX_ELEMENTS, MAX_BYTES
        self._failure: ImageReadError | None = None

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Raise the error of :meth:`spend` in place of what pydicom makes of it.

        Raises:
            ImageReadError: ``budget``.
        """
        try:
            yield
        except Exception:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def spend(self, size: int) -> None:
        """Count what is read.

        Raises:
            ImageReadError: ``budget``.
        """
        self._elements -= size == HEAD
        self._bytes -= size
        if self._elements < 0:
            self._fail(f"the header has more than {MAX_ELEMENTS} elements, or is followed by zeros; export it again.")
        if self._bytes < 0:
            self._fail(f"the header is longer than {MAX_BYTES} bytes; export the image again.")

    def _fail(self, message: str) -> None:
        self._failure = ImageReadError("budget", message)
        raise self._failure


def bounded(stream: BinaryIO, budget: Budget) -> BinaryIO:
    """Return a file, at the same position, whose elements are counted while pydicom reads them.

    Args:
        stream: the file.
        budget: what may be read.
    """
    return cast(BinaryIO, _BoundedStream(stream, budget))


class _BoundedStream:
    """What pydicom calls of a file."""

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._read, self._budget = stream.read, budget
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        data = self._read(size)
        self._budget.spend(len(data))
        return data


def bound_elements(dataset: Dataset, budget: Budget, depth: int = 0) -> None:
    """Refuse elements that cannot be what they are said to be, and open the sequences that are looked into.

    Args:
        dataset: a header that was read through :func:`bounded`.
        budget: the same.
        depth: sequences around it.

    Raises:
        ImageReadError: ``budget``.
    """
    for item in list(dataset.values()):
        if isinstance(item, RawDataElement) and item.length > LONGEST_TEXT and item.value is not None:
            _check_length(item)
    for keyword in SEQUENCES:
        tag = Tag(keyword)
        item = dataset.get_item(tag, keep_deferred=True)
        if isinstance(item, RawDataElement) and item.value:
            item = _open_sequence(item, budget)
            if item is not None:
                dataset[tag] = item
        if isinstance(item, DataElement) and item.VR == "SQ":
            if depth >= MAX_DEPTH:
                raise ImageReadError("budget", f"the header nests more than {MAX_DEPTH} sequences; export it again.")
            for part in item.value:
                bound_elements(part, budget, depth + 1)


def _check_length(item: RawDataElement) -> None:
    """Refuse numbers and texts beyond what their type can hold; pydicom makes an object of each of them."""
    kinds = [str(item.VR)]
    if item.VR in (None, "UN"):
        try:
            kinds = dictionary_VR(item.tag).split(" or ")
        except KeyError:  # private
            return
    long = [kind in LONG_TYPES for kind in kinds]
    if all(long) or (any(long) and item.length <= TABLE):
        return
    raise ImageReadError(
        "budget",
        f"({item.tag.group:04X},{item.tag.element:04X}) is longer than its type can be; export the image again.",
    )


def _open_sequence(item: RawDataElement, budget: Budget) -> DataElement | None:
    """Return a sequence whose elements were counted; None for a damaged one, which is found out when it is used."""
    value = item.value or b""
    with budget.enforced():
        try:
            parts = read_sequence(
                bounded(BytesIO(value), budget),
                item.is_implicit_VR,
                item.is_little_endian,
                len(value),
                "iso8859",  # no text of a sequence is read that could have another one
                item.value_tell,
            )
        except Exception:  # pydicom raises almost anything, now as later
            return None
    return DataElement(item.tag, "SQ", parts)
