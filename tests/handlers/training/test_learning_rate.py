# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

import pytest
import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.learning_rate import LearningRateDecay
from monai_anomaly.handlers.training.time_budget import Deadline, TimeBudget


def make(lr=0.4):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=lr)


def rates(optimizer, decay, epochs=2, length=10, work=0.0, start=0):
    seen = []
    engine = Engine(lambda e, b: (time.sleep(work), seen.append(optimizer.param_groups[0]["lr"])))
    decay.attach(engine)

    @engine.on(Events.STARTED)
    def begin(e):
        e.state.epoch, e.state.iteration = start, start * length

    engine.run(range(length), max_epochs=epochs, epoch_length=length)
    return seen


def test_rises_holds_and_falls_to_almost_nothing():
    optimizer = make()
    seen = rates(optimizer, LearningRateDecay({"a": optimizer}, warmup=0.2, hold=0.5))
    assert seen[0] == pytest.approx(0.4 * 0.5 / 4)
    assert seen[4:10] == pytest.approx([0.4] * 6)
    assert seen[10:] == pytest.approx([0.4 * (10 - i - 0.5) / 10 for i in range(10)])
    assert all(rate > 0 for rate in seen)


def test_a_resumed_run_has_the_same_rates_though_its_state_was_loaded():
    whole = rates(one := make(), LearningRateDecay({"a": one}))
    optimizer = make()
    decay = LearningRateDecay({"a": optimizer})
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.001
    optimizer.load_state_dict(state)
    assert rates(optimizer, decay, start=1) == whole[10:]


def test_a_time_budget_that_is_shorter_decides():
    optimizer = make()
    decay = LearningRateDecay({"a": optimizer}, deadline=Deadline(TimeBudget(0.2 / 60)), warmup=0.0)
    seen = rates(optimizer, decay, epochs=5, work=0.01)
    assert seen[19] < 0.3  # by the iterations alone it would still be 0.4
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(("warmup", "hold"), [(0.6, 0.5), (-0.1, 0.5), (0.0, 1.0)])
def test_bad_shape(warmup, hold):
    with pytest.raises(ValueError, match="warmup and hold"):
        LearningRateDecay({}, warmup=warmup, hold=hold)
