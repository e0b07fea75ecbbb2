# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From what a program has (paths, folders, arrays, images) to the items of a data list, one for each frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from os import PathLike
from typing import Any

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.memory_source import is_picture, memory_source
from monai_anomaly.data.sets.records import rejected_record
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["Pictures", "expand_items", "picture_items", "single_picture"]


@dataclass(frozen=True)
class Pictures:
    """Items for each frame of pictures, made when they are asked for, and the number of pictures, where it is known.

    ``ahead`` says whether an item may be asked for before the one before it was read: whoever gives pictures one by one
    may remove each when the next is asked for.

    An item has ``image`` (what the preprocessing reads), ``name``, ``origin`` (the same as ``image``, for later),
    ``study_frames`` and, where known, ``frame``; one of a picture that is none is a rejected record.
    """

    items: Iterator[dict[str, Any]]
    total: int | None
    ahead: bool


def single_picture(x: Any) -> bool:
    """Return whether it is one picture and not many of them."""
    return is_picture(x) or (isinstance(x, (str, PathLike)) and not os.path.isdir(os.path.expanduser(x)))


def picture_items(
    x: Any,
    preprocessing: Preprocessing,
    frames: str,
    value_range: tuple[float, float] | None = None,
    *,
    strict: bool = False,
) -> Pictures:
    """Return the items of many pictures.

    Args:
        x: a folder, or an iterable of single pictures.
        preprocessing: whose reader reads them.
        frames: which frames of a cine are taken.
        value_range: black and white of arrays.
        strict: raise the error of a picture that is none.

    Raises:
        DataListError: when a folder holds nothing to score.
        TypeError: for something that is neither.
    """
    if isinstance(x, (str, PathLike)):
        listed = load_datalist(x, "inference", source_names=True)
        return Pictures(expand_items(iter(listed), preprocessing, frames), len(listed), ahead=True)
    if isinstance(x, (bytes, Mapping)) or not isinstance(x, Iterable):
        raise TypeError(
            f"what is scored must be a path, an array, a tensor, an image of Pillow, a Dataset of pydicom, or many of "
            f"them, got {type(x).__name__}."
        )
    named = (_item(number, picture, preprocessing, value_range, strict) for number, picture in enumerate(x))
    total = len(x) if isinstance(x, Sized) else None
    return Pictures(expand_items(named, preprocessing, frames), total, ahead=isinstance(x, (list, tuple)))


def expand_items(
    items: Iterable[dict[str, Any]], preprocessing: Preprocessing, frames: str
) -> Iterator[dict[str, Any]]:
    """Yield an item for each frame of each item of a data list; rejected records stay as they are.

    Args:
        items: with ``image`` and ``name``.
        preprocessing: whose reader counts frames.
        frames: which frames of a cine are taken.
    """
    for item in items:
        if item.get("status") == "rejected":
            yield item
        else:
            yield from expand_frames([{**item, "origin": item["image"]}], frames, preprocessing.count_frames)


def _item(
    number: int, picture: Any, preprocessing: Preprocessing, value_range: tuple[float, float] | None, strict: bool
) -> dict[str, Any]:
    if isinstance(picture, (str, PathLike)):
        if value_range is not None:
            raise ValueError("value_range is for arrays and tensors; a file says its own.")
        return {"image": os.path.expanduser(picture), "name": os.fspath(picture)}
    item = {"name": f"picture {number}"}
    try:
        return item | {"image": memory_source(picture, preprocessing.reader, value_range)}
    except ImageReadError as error:
        if strict:
            raise
        return rejected_record(item, error, preprocessing.image_shape) | {"origin": None}
