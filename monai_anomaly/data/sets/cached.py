# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A data set whose images are decoded once, and kept in memory or on a disk."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets.cache.cache_name import cache_name
from monai_anomaly.data.sets.cache.contents import Contents
from monai_anomaly.data.sets.cache.decoding import KEPT, Keep, Transform, decode_all, intensity_of
from monai_anomaly.data.sets.cache.disk import images_folder, open_or_make
from monai_anomaly.data.sets.cache.kept_images import KeptImages, Pictures
from monai_anomaly.data.sets.cache.memory import DecodedPictures, MemoryPictures
from monai_anomaly.data.sets.duplicates import find_duplicates
from monai_anomaly.data.sets.quarantine import Quarantine

__all__ = ["CachedDataset"]

CACHES = ("memory", "disk", "none")
MEMORY_GIB = 8.0
logger = logging.getLogger(__name__)


class CachedDataset(Dataset[dict[str, Any]]):
    """Decodes every image once, in order, and gives float32 images ``(C, H, W)`` from what it keeps of them.

    A picture is kept before its intensity is normalized, in whole numbers of 8 or 16 bits where that loses nothing:
    where its file has such numbers and it was not resized. The images are the same, bit for bit, wherever they are
    kept, and with any number of threads.

    MONAI's ``CacheDataset`` keeps float32 tensors of each item, has no bound, cannot be gone through at once, and does
    not name a file that cannot be read. The transform must be deterministic; random ones belong on the batch. Items
    hold ``image``, ``row`` (its place among the images), ``index`` (its file's place in the data list, which the frames
    of a cine share) and an allow list of the item's numbers and texts (``KEPT``); masks and paths are not cached.
    Images that are equal to another one are counted in a warning.

    Args:
        data: items of a data list.
        transform: e.g. :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`; all images of one shape.
        progress: show a progress bar with the time left when decoding takes more than a few seconds.
        cache: where the pictures are kept: ``"memory"``; ``"disk"``, one file for all processes and later runs, see
            :func:`~monai_anomaly.data.sets.cache.cache_name.cache_name`; or ``"none"``: they are decoded anew each
            time, and a first time for what must be known of all of them.
        cache_dir: the folder of the files; None for ``images`` in this package's cache folder.
        cache_gib: most GiB of the pictures; None for 8 in memory, and for all that is free on the disk.
        num_workers: threads that decode; 0 decodes in the caller's.
        on_bad: ``"raise"`` ends with the first file that cannot be read; ``"quarantine"`` leaves such files out, lists
            them in ``quarantined`` and ``quarantine_path``, and counts them in a warning.
        max_bad_share: share of the data above which even a quarantine ends the run.
        quarantine_path: where the list is written, one JSON object a line; replaced by each run.

    Attributes:
        images: all images, a sequence ``(N, C, H, W)``.
        items: what is kept of each item.
        origins: of each item, what is known of the file and the device, and not of the patient (see
            :data:`~monai_anomaly.data.picture_facts.PICTURE_ORIGIN`); no batch has it.
        quarantined: ``name``, ``index``, ``code`` and ``reason`` of each file that was left out.
        pixel_hashes: :func:`~monai_anomaly.data.sets.duplicates.pixel_hash` of each image as the network gets it.
        duplicates: groups of positions whose images are equal.

    Raises:
        ImageReadError: for a file that cannot be read; names its entry.
        DataListError: when more than ``max_bad_share`` of the files, or all, cannot be read.
        CacheError: when a cache on the disk cannot be made or used.
        ValueError: for an empty list, images of different shapes, more than ``cache_gib`` in memory, or another name.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Transform,
        progress: bool = True,
        *,
        cache: str = "memory",
        cache_dir: str | PathLike[str] | None = None,
        cache_gib: float | None = None,
        num_workers: int = 0,
        on_bad: str = "raise",
        max_bad_share: float = 0.05,
        quarantine_path: str | PathLike[str] | None = None,
    ) -> None:
        quarantine = Quarantine(on_bad, max_bad_share=max_bad_share, path=quarantine_path)
        if not data:
            raise ValueError("data must not be empty; give the items of a data list.")
        if cache not in CACHES:
            raise ValueError(f"cache must be one of {', '.join(CACHES)}, got {cache!r}.")
        if cache_gib is not None and not cache_gib > 0:
            raise ValueError(f"cache_gib must be above 0, or None for the default, got {cache_gib!r}.")
        decoding = _Decoding(data, transform, quarantine, cache_gib, progress=progress, num_workers=num_workers)
        if cache == "disk":
            contents, pictures = decoding.onto_disk(cache_dir)
        else:
            contents, pictures = decoding.into_memory() if cache == "memory" else decoding.nowhere()
        quarantine.close(len(data))
        limits = np.array(contents.limits, np.float64).reshape(-1, 2)
        self.images = KeptImages(pictures, limits, intensity_of(transform))
        self.items = [
            _plain({**data[position], **facts}, position, row)
            for row, (position, facts) in enumerate(zip(contents.positions, contents.facts, strict=True))
        ]
        self.origins = [dict(origin) for origin in contents.origins]
        self.quarantined = quarantine.items
        self.pixel_hashes = contents.hashes
        self.duplicates = find_duplicates(self.pixel_hashes)
        copies = sum(len(group) - 1 for group in self.duplicates)
        if copies:
            logger.warning("%d of %d images are copies of another one in this data set.", copies, len(self))

    @property
    def normals(self) -> KeptImages:
        """The images that are labeled normal, ``(N, C, H, W)``."""
        return self.images.subset([row for row, item in enumerate(self.items) if item.get("label") == 0])

    @property
    def groups(self) -> list[str]:
        """The patient of each image; an image of whom nobody knows stands for a patient of its own."""
        return [str(item.get("group", item.get("name", row))) for row, item in enumerate(self.items)]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one item; its image is a copy."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several items; PyTorch's batch fetcher calls this."""
        images = self.images[list(indices)]
        return [{"image": image, **self.items[i]} for image, i in zip(images.unbind(0), indices, strict=True)]


def _plain(item: Mapping[str, Any], index: int, row: int) -> dict[str, Any]:
    """Return what is kept of a decoded item."""
    kept = {key: item[key] for key in KEPT if isinstance(item.get(key), (int, float, str))}
    return {**kept, "index": item.get("index", index), "row": row}


class _Decoding:
    """What there is to decode, and where its pictures are kept."""

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Transform,
        quarantine: Quarantine,
        cache_gib: float | None,
        **how: Any,
    ) -> None:
        self.data = data
        self.transform = transform
        self.quarantine = quarantine
        self.cache_gib = cache_gib
        self.how = how

    def __call__(self, keep: Keep) -> Contents:
        """Decode all images, and give each picture to a function."""
        return decode_all(self.data, self.transform, keep, self.quarantine, **self.how)

    def into_memory(self) -> tuple[Contents, Pictures]:
        """Keep the pictures in memory."""
        pictures = MemoryPictures(self._check_memory)
        return self(pictures.add), pictures

    def onto_disk(self, cache_dir: str | PathLike[str] | None) -> tuple[Contents, Pictures]:
        """Keep the pictures in a file, or find them there."""
        path = images_folder(cache_dir) / cache_name(self.data, self.transform)
        bound = None if self.cache_gib is None else int(self.cache_gib * 2**30)
        pictures, made = open_or_make(path, self, len(self.data), bound)
        made_or_found = "were decoded into" if made else "are those of"
        logger.info("%d images %s %s (%.2f GiB)", len(pictures), made_or_found, path, path.stat().st_size / 2**30)
        for item in () if made else pictures.contents.refused:
            failure = ImageReadError(item.code, item.message)
            self.quarantine.add(self.data[item.position], item.position, failure)
        return pictures.contents, pictures

    def nowhere(self) -> tuple[Contents, Pictures]:
        """Keep no picture."""
        contents = self(lambda picture: None)
        return contents, DecodedPictures(self.data, self.transform, contents)

    def _check_memory(self, size: int, so_far: int) -> None:
        """Refuse what is too much as soon as it is known: all pictures are likely to be as large as the first."""
        allowed = MEMORY_GIB if self.cache_gib is None else self.cache_gib
        needed = max(so_far + size, 0 if so_far else len(self.data) * size)
        if needed > allowed * 2**30:
            raise ValueError(
                f"{len(self.data)} images need {needed / 2**30:.2f} GiB of memory or more, and cache_gib is "
                f"{allowed:g}; use cache=disk, raise cache_gib, or lower image_size."
            )
