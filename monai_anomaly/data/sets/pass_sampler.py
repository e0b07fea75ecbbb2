# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An order in which every image comes once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

__all__ = ["PassSampler"]


class PassSampler(Sampler[int]):
    """Draws each index once, from parts that are mixed evenly, so that a pass that is cut short has seen of each.

    Each part is shuffled by the seed, and its images are spread over the whole pass. The order is the same in every
    epoch. Of several processes each takes every ``world_size``-th index of one order; where the number does not divide,
    the order goes on with its first indices, so that all make the same number of steps.

    Args:
        sizes: numbers of items of the parts, which lie one behind the other; 0 for a part that there is not.
        seed: the run's seed.
        rank: this process's number in a distributed run.
        world_size: number of processes.

    Raises:
        ValueError: when there are no items.
    """

    def __init__(self, sizes: Sequence[int], *, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if sum(sizes) < 1:
            raise ValueError("PassSampler needs at least one item.")
        rng = np.random.default_rng(seed)
        starts = np.cumsum([0, *sizes])
        order = np.concatenate([start + rng.permutation(size) for start, size in zip(starts, sizes, strict=False)])
        places = np.concatenate([(np.arange(size) + 0.5) / max(1, size) for size in sizes])
        order = order[np.argsort(places, kind="stable")]
        count = -(-len(order) // world_size)
        self.indices = np.resize(order, count * world_size)[rank::world_size].tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
