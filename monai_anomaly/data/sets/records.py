# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A data set that yields exactly one record per file, readable or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from os import PathLike
from typing import Any

import torch
from torch.utils.data import Dataset

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.picture_facts import PICTURE_FACTS, PICTURE_ORIGIN, PICTURE_PLACE
from monai_anomaly.data.sets.input_digest import INPUT_DIGEST, FileState, InputDigests, file_state
from monai_anomaly.data.sets.quarantine import as_read_error

__all__ = ["RecordDataset", "read_record", "read_records", "rejected_record"]


class RecordDataset(Dataset[dict[str, Any]]):
    """Applies a transform to each item; a file that cannot be read becomes a rejected record instead of an exception.

    MONAI's ``Dataset`` raises, so one bad file ends an inference run. Every record has ``status`` (``"ok"`` or
    ``"rejected"``), ``code``, ``reason`` (both empty when ok; safe to publish otherwise), ``warnings``, ``frame`` (-1
    where no frame was chosen), and the facts and the place of the picture (see
    :mod:`~monai_anomaly.data.picture_facts`; 0 where the transform does not give them). Rejected records hold an image
    of zeros, to be left out by their status, so that batches keep their shape.

    Args:
        data: items of a data list.
        transform: e.g. :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`.
        image_shape: ``(C, H, W)`` that the transform returns.
        input_digest: give each record ``input_digest``, too: which bytes were read, or empty; see
            :class:`~monai_anomaly.data.sets.input_digest.InputDigests`.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[[Any], Any],
        image_shape: Sequence[int],
        *,
        input_digest: bool = False,
    ) -> None:
        self.data = data
        self.digests = InputDigests() if input_digest else None
        self.transform = transform
        self.image_shape = tuple(int(n) for n in image_shape)
        if len(self.image_shape) != 3 or min(self.image_shape) < 1:
            raise ValueError(f"image_shape must be (channels, height, width), got {image_shape!r}.")

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the record of one file.

        Raises:
            Exception: whatever the transform raises that is not about reading the file.
        """
        return self.read(self.data[index])

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several records, as PyTorch's loaders ask for a batch of them; see :func:`read_records`."""
        items = [self.data[index] for index in indices]
        return read_records(items, self.transform, self.image_shape, self.digests)

    def read(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of any item, also one that is not in the data.

        Raises:
            Exception: whatever the transform raises that is not about reading the file.
        """
        return read_record(item, self.transform, self.image_shape, self.digests)


def read_records(
    items: Sequence[Mapping[str, Any]],
    transform: Callable[[Any], Any],
    image_shape: Sequence[int],
    digests: InputDigests | None = None,
) -> list[dict[str, Any]]:
    """Return the records of several items; see :class:`RecordDataset`.

    Where the transform has ``reading_ahead`` (see
    :meth:`monai_anomaly.transforms.preprocessing.Preprocessing.reading_ahead`), a file is decoded while the one before
    it is preprocessed.

    Raises:
        Exception: whatever the transform raises that is not about reading the file.
    """
    states = [_state_of(item) if digests else None for item in items]
    ahead = getattr(transform, "reading_ahead", None)
    with nullcontext() if ahead is None else ahead(items):
        return [
            read_record(item, transform, image_shape, digests, state) for item, state in zip(items, states, strict=True)
        ]


def read_record(
    item: Mapping[str, Any],
    transform: Callable[[Any], Any],
    image_shape: Sequence[int],
    digests: InputDigests | None = None,
    before: FileState | None = None,
) -> dict[str, Any]:
    """Return the record of one item; see :class:`RecordDataset`.

    Args:
        item: of a data list.
        transform: as of the data set.
        image_shape: as of the data set.
        digests: give the record ``input_digest``; None for none.
        before: as of :meth:`.InputDigests.read`.

    Raises:
        Exception: whatever the transform raises that is not about reading the file.
    """
    known: dict[str, Any] = {} if digests is None else {INPUT_DIGEST: ""}
    try:
        if digests is None:
            record = dict(transform(dict(item)))
        else:
            read, known[INPUT_DIGEST] = digests.read(item, transform, before)
            record = dict(read)
    except Exception as error:
        failure = as_read_error(error)
        if failure is None:
            raise
        return {**rejected_record(item, failure, image_shape), **known}
    record.setdefault("warnings", "")
    record.setdefault("frame", -1)
    return {
        **PICTURE_FACTS,
        **PICTURE_PLACE,
        **PICTURE_ORIGIN,
        **record,
        **known,
        "status": "ok",
        "code": "",
        "reason": "",
    }


def rejected_record(item: Mapping[str, Any], failure: ImageReadError, image_shape: Sequence[int]) -> dict[str, Any]:
    """Return the record of an item that cannot be read."""
    record = {
        "frame": -1,
        **PICTURE_FACTS,
        **PICTURE_PLACE,
        **PICTURE_ORIGIN,
        **item,
        "image": torch.zeros(*image_shape),
    }
    if "mask" in item:
        record["mask"] = torch.zeros(1, *image_shape[1:])
    return {**record, "warnings": "", "status": "rejected", "code": failure.code, "reason": failure.message}


def _state_of(item: Mapping[str, Any]) -> FileState | None:
    """Return the state of an item's file; None where there is none, which reading it will tell."""
    if not isinstance(item["image"], (str, PathLike)):
        return None
    with suppress(ImageReadError):
        return file_state(item["image"])
    return None
