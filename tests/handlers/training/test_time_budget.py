# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

import pytest
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.epoch_events import every_epochs
from monai_anomaly.handlers.training.time_budget import ENDLESS, Deadline, TimeBudget
from monai_anomaly.utils.exceptions import ConfigError


def test_time_budget_ends_cleanly_and_within_itself():
    engine = Engine(lambda e, b: time.sleep(0.05))
    completed = []
    engine.add_event_handler(Events.COMPLETED, lambda e: completed.append(e.state.iteration))
    budget = TimeBudget(0.5 / 60)
    Deadline(budget).attach(engine)
    engine.run(range(1000))
    assert completed and 1 < completed[0] <= 10
    assert budget.elapsed < 0.5 + 0.2


def test_stages_share_one_budget():
    budget = TimeBudget(1.0)
    assert Deadline(budget, 0.25).seconds == 15.0
    assert Deadline(budget).seconds == 60.0
    assert Deadline(TimeBudget(None)).seconds is None


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_a_budget_must_be_positive(minutes):
    with pytest.raises(ConfigError, match="max_minutes must be above 0"):
        TimeBudget(minutes)


def test_a_share_must_lie_in_the_budget():
    with pytest.raises(ConfigError, match="share"):
        Deadline(TimeBudget(1), 1.5)


class Watch:
    """A budget of 10 seconds whose clock a test moves."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.budget = TimeBudget(10 / 60)

    def step(self, _engine, _batch):
        self.now += 1.0


def test_an_epoch_that_the_budget_ends_completes_with_all_that_follows_it(monkeypatch):
    watch = Watch(monkeypatch)
    engine = Engine(watch.step)
    told, after = [], []
    Deadline(watch.budget).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: told.append(e.state.iteration))
    engine.add_event_handler(every_epochs(5), lambda e: after.append((e.state.epoch, e.state.iteration)))
    engine.add_event_handler(Events.COMPLETED, lambda e: after.append("completed"))
    engine.run(range(4), max_epochs=6)
    assert told == list(range(1, 11))  # 10 seconds, and not one iteration without its handlers
    assert after == [(3, 10), "completed"]
    assert watch.budget.unfinished == "10 of 24 iterations of the training"


def test_a_training_that_reaches_its_length_is_not_cut(monkeypatch):
    watch = Watch(monkeypatch)
    engine, after = Engine(watch.step), []
    Deadline(watch.budget).attach(engine)
    engine.add_event_handler(every_epochs(2), lambda e: after.append(e.state.epoch))
    engine.run(range(5), max_epochs=2)  # the last iteration that fits is the last one
    assert engine.state.iteration == 10 and after == [2]
    assert watch.budget.unfinished == ""


def test_a_budget_that_is_the_length_cuts_nothing_short(monkeypatch):
    watch = Watch(monkeypatch)
    engine = Engine(watch.step)
    Deadline(watch.budget).attach(engine)
    engine.run(range(4), max_epochs=ENDLESS)
    assert engine.state.iteration == 10 and watch.budget.unfinished == ""


def test_a_resumed_run_knows_of_the_stage_before_and_forgets_its_own(monkeypatch):
    watch = Watch(monkeypatch)
    for share, stage in ((0.3, "features"), (1.0, "training")):
        engine = Engine(watch.step)
        Deadline(watch.budget, share, stage).attach(engine)
        engine.run(range(10), max_epochs=1)
    assert watch.budget.unfinished == "3 of 10 iterations of the features, 7 of 10 iterations of the training"
    resumed = TimeBudget(None)
    resumed.load_state_dict(watch.budget.state_dict())
    engine = Engine(lambda e, b: None)
    Deadline(resumed).attach(engine)
    engine.run(range(10), max_epochs=1)
    assert resumed.unfinished == "3 of 10 iterations of the features"


def test_an_interval_of_epochs_must_be_positive():
    with pytest.raises(ValueError, match="interval"):
        every_epochs(0)
