# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Random numbers that depend on the seed and the epoch alone."""

from __future__ import annotations

import random

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from torch.utils.data import DataLoader

from monai_anomaly.data.sets.epoch_sampler import EpochSampler, epoch_seed

__all__ = ["EpochSeed"]


class EpochSeed:
    """Seeds Python, NumPy, PyTorch, the data loader's sampler and its transforms at the start of every epoch.

    A run resumed at an epoch's edge then draws the same numbers as one that was never interrupted, and no generator's
    state has to be saved.

    Args:
        seed: the run's seed.
        data_loader: the loader whose order and random transforms are to follow.
    """

    def __init__(self, seed: int, data_loader: DataLoader | None = None) -> None:
        self.seed = seed
        self.data_loader = data_loader

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed everything for the epoch that starts."""
        seed = epoch_seed(self.seed, engine.state.epoch)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  the libraries that draw from it know no other
        torch.manual_seed(seed)
        if self.data_loader is not None:
            if isinstance(self.data_loader.sampler, EpochSampler):
                self.data_loader.sampler.set_epoch(engine.state.epoch)
            set_rnd(self.data_loader.dataset, seed=seed)
