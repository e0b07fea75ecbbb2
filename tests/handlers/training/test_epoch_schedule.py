# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch.optim import SGD
from torch.optim.lr_scheduler import PolynomialLR

from monai_anomaly.handlers.training.epoch_schedule import EpochSchedule


def rates(cut_at: int | None) -> list[float]:
    """Return the rate in each of four epochs of three iterations; one that is cut short is begun anew."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=8.0)
    schedule = PolynomialLR(optimizer, total_iters=4)
    seen: dict[int, float] = {}

    def run(first: int, cut: int | None) -> Engine:
        engine = Engine(lambda e, b: optimizer.step())

        @engine.on(Events.ITERATION_COMPLETED)
        def look(e):
            seen[e.state.epoch] = optimizer.param_groups[0]["lr"]
            if e.state.iteration == cut:
                e.terminate_epoch()

        @engine.on(Events.EPOCH_COMPLETED)
        def end(e):
            if e.should_terminate_single_epoch:
                e.terminate()

        EpochSchedule(schedule).attach(engine)
        engine.state.epoch_length, engine.state.max_epochs = 3, 4
        engine.state.epoch, engine.state.iteration = first, 3 * first
        engine.run(range(3))
        return engine

    ended = run(0, cut_at)
    if cut_at is not None:
        run(ended.state.iteration // 3, None)
    return list(seen.values())


def test_an_epoch_that_is_begun_anew_counts_once():
    whole = rates(None)
    assert whole == [8.0, 6.0, 4.0, 2.0]
    assert rates(5) == whole  # within the second epoch
    assert rates(6) == whole  # at its end
