# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Decodes every image of a data set once, in order, and hands its picture on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.frame_items import FRAMES_OF_STUDY
from monai_anomaly.data.picture_facts import PICTURE_FACTS, PICTURE_ORIGIN
from monai_anomaly.data.sets.cache.contents import Contents, Refused
from monai_anomaly.data.sets.cache.kept_images import Intensity, NoIntensity
from monai_anomaly.data.sets.duplicates import pixel_hash
from monai_anomaly.data.sets.quarantine import Quarantine, as_read_error
from monai_anomaly.utils.kept_memory import give_back_freed_memory

__all__ = ["KEPT", "Keep", "Transform", "decode_all", "intensity_of", "picture_of"]

KEPT = ("name", "label", "group", "frame", "warnings", "status", "code", "reason", FRAMES_OF_STUDY, *PICTURE_FACTS)
"""Keys of an item that are kept, where they are numbers or texts; a path is not among them."""
ORIGIN = tuple(key for key in PICTURE_ORIGIN if key != "patient_hash")
SECONDS_BEFORE_BAR = 2.0

Item = Mapping[str, Any]
Transform = Callable[[Any], Any]
Keep = Callable[[npt.NDArray[np.float32]], object]
"""Gets a picture ``(C, H, W)``."""

GIVE_BACK = 256
"""Images after which freed memory goes back to the system.

Small objects that live on lie between the pictures that are freed, which then are not used again: 256 KB for each image
of 256 x 256 pixels, gigabytes for 20,000.
"""


def intensity_of(transform: Transform) -> Intensity:
    """Return how a transform normalizes the intensity at its end, where it says so."""
    intensity: Intensity | None = getattr(transform, "intensity", None)
    return NoIntensity() if intensity is None else intensity


def picture_of(transform: Transform, item: Item) -> dict[str, Any]:
    """Return an item, decoded, before its intensity is normalized; a mask is not looked at."""
    prepare: Transform = getattr(transform, "prepare", transform)
    decoded: dict[str, Any] = prepare({key: value for key, value in item.items() if key != "mask"})
    return decoded


def decode_all(
    data: Sequence[Item],
    transform: Transform,
    keep: Keep,
    quarantine: Quarantine,
    *,
    progress: bool = True,
    num_workers: int = 0,
) -> Contents:
    """Return what is known of all images that can be read.

    Args:
        data: items of a data list.
        transform: makes their images; see :func:`picture_of`.
        keep: gets each picture, float32 ``(C, H, W)``, in order.
        quarantine: gets the items that cannot be read.
        progress: show a progress bar when it takes more than a few seconds.
        num_workers: threads that decode; 0 decodes in the caller's.

    Raises:
        ImageReadError: for a file that cannot be read, as the quarantine says.
        ValueError: for images of different shapes.
    """
    contents, intensity = Contents(), intensity_of(transform)
    bar = tqdm(
        _decoded(data, transform, num_workers),
        total=len(data),
        desc="Decoding images",
        unit="image",
        delay=SECONDS_BEFORE_BAR,
        disable=not progress,
        leave=False,
    )
    tried = 0
    for position, item in enumerate(bar):
        tried += 1
        if isinstance(item, ImageReadError):
            quarantine.add(data[position], position, item)
            contents.refused.append(Refused(position, item.code, item.message))
            continue
        _add(contents, data[position], position, item, intensity, keep)
        if tried % GIVE_BACK == 0:
            give_back_freed_memory()
    give_back_freed_memory()
    if tried != len(data):
        raise RuntimeError(f"only {tried} of {len(data)} images were decoded; the loop ended early.")
    return contents


def _add(
    contents: Contents, source: Item, position: int, item: dict[str, Any], intensity: Intensity, keep: Keep
) -> None:
    image = torch.as_tensor(item["image"], dtype=torch.float32)
    if not len(contents):
        contents.shape = image.shape[0], image.shape[1], image.shape[2]
    if tuple(image.shape) != contents.shape:
        raise ValueError(
            f"all images must have one shape, got {tuple(image.shape)} for entry {position} "
            f"({item.get('name', '')}) after {contents.shape}; resize them in the transform."
        )
    keep(image.numpy())
    limits = intensity.limits(image)
    contents.limits.append(limits)
    contents.hashes.append(pixel_hash(intensity.apply(image, *limits).numpy()))
    contents.positions.append(position)
    contents.facts.append({key: item[key] for key in KEPT if _is_plain(item.get(key)) and _is_new(key, item, source)})
    contents.origins.append({key: item[key] for key in ORIGIN if key in item})


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _is_new(key: str, item: Item, source: Item) -> bool:
    return key not in source or source[key] != item[key]


def _decoded(data: Sequence[Item], transform: Transform, num_workers: int) -> Iterator[dict[str, Any] | ImageReadError]:
    """Yield the decoded items in order, and an error in the place of one that cannot be read."""

    def load(item: Item) -> dict[str, Any] | ImageReadError:
        try:
            return picture_of(transform, item)
        except Exception as error:
            failure = as_read_error(error)
            if failure is None:
                raise
            return failure

    if num_workers < 1:
        yield from map(load, data)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        size = 64 * num_workers  # bounds what is decoded ahead
        for start in range(0, len(data), size):
            yield from pool.map(load, data[start : start + size])
