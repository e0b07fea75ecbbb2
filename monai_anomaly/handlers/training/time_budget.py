# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A wall-clock budget: equal budgets are how methods are compared."""

from __future__ import annotations

import logging
import time
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["ENDLESS", "Deadline", "TimeBudget"]

ENDLESS = 1_000_000
"""Epochs from which on a training has no length of its own: the budget alone is to end it, and cuts nothing short."""

logger = logging.getLogger(__name__)


class TimeBudget:
    """Ends a training cleanly when a wall-clock budget is used up.

    The clock starts when the budget is made, so that reading the data and every stage of a run count. The stages of
    a run share one budget; a :class:`Deadline` ends each. Ignite's `TimeLimit` has a clock of its own in each
    handler, starting anew with it, and always goes over the limit by one iteration.

    Args:
        max_minutes: the budget; ``None`` is no limit.

    Attributes:
        cut: how far each stage came that the budget ended before its length, by the stage's name. It is part of the
            resumable state: a resumed run does not make up for a stage before its own.

    Raises:
        ConfigError: when `max_minutes` is not positive.
    """

    def __init__(self, max_minutes: float | None) -> None:
        if max_minutes is not None and not max_minutes > 0:
            raise ConfigError(f"max_minutes must be above 0, or null for no limit, got {max_minutes}.")
        self.seconds = None if max_minutes is None else 60.0 * max_minutes
        self.start = time.monotonic()
        self.cut: dict[str, str] = {}

    @property
    def unfinished(self) -> str:
        """What the budget cut short, such as ``30 of 300 iterations of the training``; empty when it cut nothing."""
        return ", ".join(f"{progress} iterations of the {stage}" for stage, progress in self.cut.items())

    def state_dict(self) -> dict[str, Any]:
        """Return what was cut short."""
        return {"cut": dict(self.cut)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; the clock is this run's."""
        self.cut = dict(state["cut"])

    @property
    def elapsed(self) -> float:
        """Seconds since the clock started."""
        return time.monotonic() - self.start


class Deadline:
    """Ends its engine once a share of a time budget is used up.

    The epoch in which that happens ends early and completes: what is done after an epoch (validation, history, curves,
    pictures) is done then, too; see :func:`~monai_anomaly.handlers.training.epoch_events.every_epochs`. Several
    processes end together.

    Args:
        budget: the run's budget.
        share: of the budget, in (0, 1]; 1 for the last stage.
        stage: what the engine does, in words, for the report.
    """

    def __init__(self, budget: TimeBudget, share: float = 1.0, stage: str = "training") -> None:
        if not 0.0 < share <= 1.0:
            raise ConfigError(f"the share of a time budget must lie in (0, 1], got {share}.")
        self.budget = budget
        self.share = share
        self.stage = stage
        self._last = budget.elapsed

    @property
    def seconds(self) -> float | None:
        """The end, in seconds after the budget's start."""
        return None if self.budget.seconds is None else self.share * self.budget.seconds

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        if self.seconds is not None:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _start(self, _: Engine) -> None:
        self._last = self.budget.elapsed
        self.budget.cut.pop(self.stage, None)  # a run that is resumed may reach its length

    def __call__(self, engine: Engine) -> None:
        """End the epoch if another iteration like the last one would not fit."""
        assert self.seconds is not None  # attached only then
        now = self.budget.elapsed
        iteration, self._last = now - self._last, now
        over = now + iteration > self.seconds
        if idist.get_world_size() > 1:  # each process has its own clock, and all wait for each other in an iteration
            over = bool(idist.all_reduce(float(over), op="MAX"))
        done, epochs = engine.state.iteration, engine.state.max_epochs or 1
        total = epochs * (engine.state.epoch_length or 1)
        if not over or done >= total:
            return
        logger.info("the time budget of the %s is used up after %.1f s, at iteration %d", self.stage, now, done)
        if epochs < ENDLESS:
            self.budget.cut[self.stage] = f"{done} of {total}"
        engine.terminate_epoch()

    def _end(self, engine: Engine) -> None:
        if engine.should_terminate_single_epoch:
            engine.terminate()
