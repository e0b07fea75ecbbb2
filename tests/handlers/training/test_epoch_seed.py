# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import random

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset

from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.handlers.training.epoch_seed import EpochSeed


def draws(engine):
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_epoch_seed_makes_an_epoch_independent_of_what_came_before():
    def run(start, seed=3):
        seen = []
        engine = Engine(lambda e, b: seen.append((e.state.epoch, b, *draws(e))))
        data = Dataset(list(range(6)))
        loader = DataLoader(data, batch_size=2, sampler=EpochSampler(data, 4, seed=seed))
        EpochSeed(seed, loader).attach(engine)
        engine.state.epoch = start

        @engine.on(Events.STARTED)
        def begin(e):
            e.state.epoch, e.state.iteration = start, start * 2

        engine.run(loader, max_epochs=3, epoch_length=2)
        return [(e, b.tolist(), *rest) for e, b, *rest in seen]

    whole, tail = run(0), run(2)
    assert whole[4:] == tail
    assert whole[:2] != whole[2:4]
    assert run(0, seed=4) != whole
