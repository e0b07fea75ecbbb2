# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A data set decoded once, held as one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from monai_anomaly.data.errors import ImageReadError, find_read_error

__all__ = ["CachedDataset"]

SECONDS_BEFORE_BAR = 2.0


class CachedDataset(Dataset[dict[str, Any]]):
    """Decodes every image once, in order, into one contiguous float32 tensor ``(N, C, H, W)``.

    MONAI's ``CacheDataset`` serves batches as fast, but from a dictionary per item: the whole set cannot be moved to a
    device or gone through at once, memory has no bound, and a file that cannot be read is not named. The transform must
    be deterministic; random ones belong on the batch. Items hold ``image``, ``index`` and the numbers and strings of
    the transformed item; masks are not cached.

    Args:
        data: items of a data list.
        transform: e.g. :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`; all images of one shape.
        progress: show a progress bar with the time left when decoding takes more than a few seconds.
        num_workers: threads that decode; 0 decodes in the caller's.
        max_bytes: most memory for the images.

    Raises:
        ImageReadError: for a file that cannot be read; names its entry.
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
    ) -> None:
        if not data:
            raise ValueError("data must not be empty; give the items of a data list.")
        self._images, self.items = _decode(data, transform, progress, num_workers, max_bytes)

    @property
    def images(self) -> torch.Tensor:
        """All images, float32 ``(N, C, H, W)``; shared, not a copy."""
        return self._images

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Returns one item; its image is a copy."""
        return {"image": self._images[index].clone(), **self.items[index]}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Returns several items, gathered at once; PyTorch's batch fetcher calls this."""
        images = self._images.index_select(0, torch.as_tensor(indices, dtype=torch.long))  # four times faster than []
        return [{"image": image, **self.items[i]} for image, i in zip(images.unbind(0), indices, strict=True)]


def _plain(item: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Returns the numbers and strings of a transformed item."""
    kept = {k: v for k, v in item.items() if isinstance(v, (int, float, str))}
    return {**kept, "index": item.get("index", index)}


def _decode(
    data: Sequence[Mapping[str, Any]],
    transform: Callable[[Any], Any],
    progress: bool,
    num_workers: int,
    max_bytes: int,
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Returns all images, filled in order, and their plain values."""
    items: list[dict[str, Any]] = []
    images: torch.Tensor | None = None
    bar = tqdm(
        _transformed(data, transform, num_workers),
        total=len(data),
        desc="Decoding images",
        unit="image",
        delay=SECONDS_BEFORE_BAR,
        disable=not progress,
        leave=False,
    )
    for index, item in enumerate(bar):
        image = torch.as_tensor(item["image"])
        if images is None:
            images = _allocate(len(data), image, max_bytes)
        if image.shape != images.shape[1:]:
            raise ValueError(
                f"all images must have one shape, got {tuple(image.shape)} for {_name(data[index], index)} after "
                f"{tuple(images.shape[1:])}; resize them in the transform."
            )
        images[index] = image
        items.append(_plain(item, index))
    assert images is not None  # data is not empty
    return images, items


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
) -> Iterator[Mapping[str, Any]]:
    """Yields the transformed items in order."""

    def load(pair: tuple[int, Mapping[str, Any]]) -> Any:
        index, item = pair
        try:
            return transform({k: v for k, v in item.items() if k != "mask"})
        except Exception as error:
            failure = find_read_error(error)
            if failure is None:
                raise
            raise ImageReadError(failure.code, f"{_name(item, index)}: {failure.message}") from None

    if num_workers < 1:
        yield from map(load, enumerate(data))
        return
    with ThreadPoolExecutor(num_workers) as pool:
        for chunk in _chunks(list(enumerate(data)), 64 * num_workers):  # bounds what is decoded ahead
            yield from pool.map(load, chunk)


def _chunks(pairs: list[Any], size: int) -> Iterable[list[Any]]:
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


def _name(item: Mapping[str, Any], index: int) -> str:
    return str(item.get("name", f"item {index}"))
