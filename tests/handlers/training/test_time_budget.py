# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

import pytest
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.time_budget import Deadline, TimeBudget
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
