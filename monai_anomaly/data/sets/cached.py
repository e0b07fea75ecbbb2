# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A data set decoded once, held as one tensor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import Any

import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.frame_items import FRAMES_OF_STUDY
from monai_anomaly.data.picture_facts import PICTURE_FACTS, PICTURE_ORIGIN
from monai_anomaly.data.sets.duplicates import find_duplicates, pixel_hash
from monai_anomaly.data.sets.quarantine import Quarantine, as_read_error

__all__ = ["CachedDataset"]

KEPT = ("name", "label", "group", "frame", "warnings", "status", "code", "reason", FRAMES_OF_STUDY, *PICTURE_FACTS)
"""Keys of an item that are kept, where they are numbers or texts; a path is not among them."""
ORIGIN = tuple(key for key in PICTURE_ORIGIN if key != "patient_hash")

SECONDS_BEFORE_BAR = 2.0
logger = logging.getLogger(__name__)


class CachedDataset(Dataset[dict[str, Any]]):
    """Decodes every image once, in order, into one contiguous float32 tensor ``(N, C, H, W)``.

    MONAI's ``CacheDataset`` serves batches as fast, but from a dictionary per item: the whole set cannot be moved to a
    device or gone through at once, memory has no bound, and a file that cannot be read is not named. The transform must
    be deterministic; random ones belong on the batch. Items hold ``image``, ``row`` (its place in the tensor),
    ``index`` (its file's place in the data list, which the frames of a cine share) and an allow list of the item's
    numbers and texts (``KEPT``); masks and paths are not cached. Images that are equal to another one are counted
    in a warning.

    Args:
        data: items of a data list.
        transform: e.g. :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`; all images of one shape.
        progress: show a progress bar with the time left when decoding takes more than a few seconds.
        num_workers: threads that decode; 0 decodes in the caller's.
        max_bytes: most memory for the images.
        on_bad: ``"raise"`` ends with the first file that cannot be read; ``"quarantine"`` leaves such files out, lists
            them in ``quarantined`` and ``quarantine_path``, and counts them in a warning.
        max_bad_share: share of the data above which even a quarantine ends the run.
        quarantine_path: where the list is written, one JSON object a line; replaced by each run.

    Attributes:
        items: what is kept of each item.
        origins: of each item, what is known of the file and the device, and not of the patient (see
            :data:`~monai_anomaly.data.picture_facts.PICTURE_ORIGIN`); no batch has it.
        quarantined: ``name``, ``index``, ``code`` and ``reason`` of each file that was left out.
        pixel_hashes: :func:`~monai_anomaly.data.sets.duplicates.pixel_hash` of each image as the network gets it.
        duplicates: groups of positions whose images are equal.

    Raises:
        ImageReadError: for a file that cannot be read; names its entry.
        DataListError: when more than ``max_bad_share`` of the files, or all, cannot be read.
        ValueError: for an empty list, images of different shapes, or more than ``max_bytes``.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[[Any], Any],
        progress: bool = True,
        *,
        num_workers: int = 0,
        max_bytes: int = 8 * 2**30,
        on_bad: str = "raise",
        max_bad_share: float = 0.05,
        quarantine_path: str | PathLike[str] | None = None,
    ) -> None:
        quarantine = Quarantine(on_bad, max_bad_share=max_bad_share, path=quarantine_path)
        if not data:
            raise ValueError("data must not be empty; give the items of a data list.")
        self._images, self.items, self.origins = _decode(data, transform, progress, num_workers, max_bytes, quarantine)
        self.quarantined = quarantine.items
        self.pixel_hashes = [pixel_hash(image.numpy()) for image in self._images]
        self.duplicates = find_duplicates(self.pixel_hashes)
        copies = sum(len(group) - 1 for group in self.duplicates)
        if copies:
            logger.warning("%d of %d images are copies of another one in this data set.", copies, len(self))

    @property
    def images(self) -> torch.Tensor:
        """All images, float32 ``(N, C, H, W)``; shared, not a copy."""
        return self._images

    @property
    def normals(self) -> torch.Tensor:
        """The images that are labeled normal, ``(N, C, H, W)``."""
        return self._images[[row for row, item in enumerate(self.items) if item.get("label") == 0]]

    @property
    def groups(self) -> list[str]:
        """The patient of each image; an image of whom nobody knows stands for a patient of its own."""
        return [str(item.get("group", item.get("name", row))) for row, item in enumerate(self.items)]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one item; its image is a copy."""
        return {"image": self._images[index].clone(), **self.items[index]}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several items, gathered at once; PyTorch's batch fetcher calls this."""
        images = self._images.index_select(0, torch.as_tensor(indices, dtype=torch.long))  # four times faster than []
        return [{"image": image, **self.items[i]} for image, i in zip(images.unbind(0), indices, strict=True)]


def _plain(item: Mapping[str, Any], index: int, row: int) -> dict[str, Any]:
    """Return what is kept of a transformed item."""
    kept = {key: item[key] for key in KEPT if isinstance(item.get(key), (int, float, str))}
    return {**kept, "index": item.get("index", index), "row": row}


def _decode(
    data: Sequence[Mapping[str, Any]],
    transform: Callable[[Any], Any],
    progress: bool,
    num_workers: int,
    max_bytes: int,
    quarantine: Quarantine,
) -> tuple[torch.Tensor, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all images that can be read, filled in order, and what is kept beside them: items and their origins."""
    items: list[dict[str, Any]] = []
    origins: list[dict[str, Any]] = []
    images = torch.empty(0)
    bar = tqdm(
        _transformed(data, transform, num_workers),
        total=len(data),
        desc="Decoding images",
        unit="image",
        delay=SECONDS_BEFORE_BAR,
        disable=not progress,
        leave=False,
    )
    tried = 0
    for index, item in enumerate(bar):
        tried += 1
        if isinstance(item, ImageReadError):
            quarantine.add(data[index], index, item)
            continue
        image = torch.as_tensor(item["image"])
        if not items:
            images = _allocate(len(data), image, max_bytes)
        _check_shape(image, images, data[index], index)
        images[len(items)] = image
        items.append(_plain(item, index, len(items)))
        origins.append({key: item[key] for key in ORIGIN if key in item})
    if tried != len(data):
        raise RuntimeError(f"only {tried} of {len(data)} images were decoded; the loop ended early.")
    quarantine.close(tried)
    return images[: len(items)], items, origins


def _check_shape(image: torch.Tensor, images: torch.Tensor, item: Mapping[str, Any], index: int) -> None:
    if image.shape != images.shape[1:]:
        raise ValueError(
            f"all images must have one shape, got {tuple(image.shape)} for entry {index} "
            f"({item.get('name', '')}) after {tuple(images.shape[1:])}; resize them in the transform."
        )


def _allocate(count: int, image: torch.Tensor, max_bytes: int) -> torch.Tensor:
    needed = count * image.numel() * 4
    if needed > max_bytes:
        raise ValueError(
            f"{count} images of {tuple(image.shape)} need {needed / 2**30:.2f} GiB, more than max_bytes="
            f"{max_bytes / 2**30:.2f} GiB; lower image_size, raise max_bytes, or use monai.data.Dataset, which decodes "
            "anew in each epoch."
        )
    return torch.empty(count, *image.shape, dtype=torch.float32)


def _transformed(
    data: Sequence[Mapping[str, Any]], transform: Callable[[Any], Any], num_workers: int
) -> Iterator[Mapping[str, Any] | ImageReadError]:
    """Yield the transformed items in order, and an error in the place of one that cannot be read."""

    def load(item: Mapping[str, Any]) -> Any:
        try:
            return transform({key: value for key, value in item.items() if key != "mask"})
        except Exception as error:
            failure = as_read_error(error)
            if failure is None:
                raise
            return failure

    if num_workers < 1:
        for item in data:
            yield load(item)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        for chunk in _chunks(list(data), 64 * num_workers):  # bounds what is decoded ahead
            yield from pool.map(load, chunk)


def _chunks(data: Sequence[Mapping[str, Any]], size: int) -> Iterable[Sequence[Mapping[str, Any]]]:
    return (data[start : start + size] for start in range(0, len(data), size))
