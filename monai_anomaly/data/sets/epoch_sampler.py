# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sampling that an interrupted training can repeat exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Sampler

__all__ = ["EpochSampler", "epoch_seed"]


def epoch_seed(seed: int, epoch: int) -> int:
    """Return a 32-bit seed for an epoch (1-based) of a run, well mixed and the same everywhere."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


class EpochSampler(Sampler[int]):
    """Draws a fixed number of indices per epoch from whole random permutations of the data.

    Small sets are gone through several times in an epoch, large ones in part, so an epoch always has the length that
    the schedule counts in. The order depends on the seed and the epoch alone, which is what makes a resumed run repeat
    the interrupted one; PyTorch's samplers draw from a generator whose state would have to be saved.

    Args:
        data: what to sample from; only its length is used.
        num_samples: indices in an epoch, of this process.
        seed: the run's seed.
        rank: this process's number in a distributed run.
        world_size: number of processes; each takes every ``world_size``-th index of the common order.
    """

    def __init__(self, data: Sized, num_samples: int, *, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if len(data) == 0:
            raise ValueError("EpochSampler needs at least one item.")
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}.")
        self.size = len(data)
        self.num_samples = num_samples
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch (1-based) that the next iteration over the sampler is for."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        total = self.num_samples * self.world_size
        rounds = -(-total // self.size)
        order = np.concatenate([rng.permutation(self.size) for _ in range(rounds)])[:total]
        return iter(order[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        return self.num_samples
