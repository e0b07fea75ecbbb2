# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Normal images beside images of a pool, drawn independently of each other."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import Dataset

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.epoch_sampler import EpochSampler, epoch_seed

__all__ = ["POOL_IMAGE", "PairedDataset", "PairedSampler", "check_pool", "check_shapes"]

POOL_IMAGE = "unlabeled"
"""Key of the pool's image in an item."""


class PairedDataset(Dataset[dict[str, Any]]):
    """Items of the normals, each with an image of the pool under ``unlabeled``: the image and nothing else of it.

    An index is a pair, a place in the normals and one in the pool; :class:`PairedSampler` draws such pairs. Without a
    pool the items are those of the normals, the second number of an index is not looked at, and there is no such key.
    MONAI's ``ZipDataset`` pairs images by one common index, so that a normal would meet the same pool image for ever.

    Args:
        normals: the training normals; the data set has their length.
        pool: the pool; images of the same shape ``(C, H, W)``.

    Raises:
        ValueError: for images of two shapes.
    """

    def __init__(self, normals: CachedDataset, pool: CachedDataset | None = None) -> None:
        self.normals = normals
        self.pool = pool if pool is not None and len(pool) else None
        check_shapes(normals, self.pool)

    def __len__(self) -> int:
        return len(self.normals)

    def __getitem__(self, index: tuple[int, int]) -> dict[str, Any]:
        """Return one pair; its images are copies."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        """Return several pairs, gathered at once; PyTorch's batch fetcher calls this."""
        items = self.normals.__getitems__([first for first, _ in indices])
        if self.pool is None:
            return items
        pool = self.pool.__getitems__([second for _, second in indices])
        return [{**item, POOL_IMAGE: other["image"]} for item, other in zip(items, pool, strict=True)]


def check_shapes(normals: CachedDataset, pool: CachedDataset | None) -> None:
    """Refuse a pool whose images have another shape than the normals'.

    Raises:
        ValueError: for images of two shapes.
    """
    if pool is not None and pool.images.shape[1:] != normals.images.shape[1:]:
        raise ValueError(
            f"images of the pool must have the shape of the normals, {tuple(normals.images.shape[1:])}, got "
            f"{tuple(pool.images.shape[1:])}; use one preprocessing for both."
        )


class PairedSampler(EpochSampler):
    """Draws pairs of indices, the first and the second independently of each other.

    The first of each pair are `first`'s, bit for bit, with and without `second`. The second's order comes from a seed
    that is derived from `second`'s own: with one seed for both, two data sets of one length would be paired for ever.
    It is an :class:`~monai_anomaly.data.sets.epoch_sampler.EpochSampler`, so that
    :class:`~monai_anomaly.handlers.training.epoch_seed.EpochSeed` tells it the epoch.

    Args:
        first: draws the normals.
        second: draws the pool; None for no pool, where the second index is -1. It is copied, not changed.

    Raises:
        ValueError: when they differ in indices per epoch, or in the part of a distributed run.
    """

    def __init__(self, first: EpochSampler, second: EpochSampler | None = None) -> None:
        super().__init__(range(first.size), len(first), seed=first.seed, rank=first.rank, world_size=first.world_size)
        self.second = copy.copy(second)
        if self.second is not None:
            part_of_first, part_of_second = ((s.num_samples, s.rank, s.world_size) for s in (first, self.second))
            if part_of_first != part_of_second:
                raise ValueError(
                    f"both samplers must have the same num_samples, rank and world_size, got {part_of_first} and "
                    f"{part_of_second}."
                )
            self.second.seed = epoch_seed(self.second.seed, 0)  # epochs count from 1, so 0 is free

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]  # a pair is the index of its data set
        if self.second is None:
            return ((first, -1) for first in super().__iter__())
        self.second.set_epoch(self.epoch)
        return zip(super().__iter__(), self.second, strict=True)


def check_pool(pool_size: int, batch_size: int, *, normals: int | None = None) -> None:
    """Refuse data from which no step can be made.

    Args:
        pool_size: images in the pool; 0 is no pool, which is allowed.
        batch_size: images of one step, of the normals and of the pool.
        normals: training normals, of which there must be two; None to leave this out.

    Raises:
        DataListError: for a pool smaller than a batch, or a single normal.
        ValueError: for a batch of one image.
    """
    if batch_size < 2:
        raise ValueError(
            f"batch_size must be at least 2, got {batch_size}: a pseudo-anomaly takes its patch from another image of "
            "the batch."
        )
    if 0 < pool_size < batch_size:
        raise DataListError(
            f"the pool has {pool_size} images, fewer than a batch of {batch_size}; add images or lower batch_size."
        )
    if normals is not None and normals < 2:
        raise DataListError(
            f"the number of normal training images is {normals}, and a pseudo-anomaly takes its patch from another "
            "image; add normal images."
        )
