# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A wall-clock budget: equal budgets are how methods are compared."""

from __future__ import annotations

import logging
import time

from ignite.engine import Engine, Events

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Deadline", "TimeBudget"]

logger = logging.getLogger(__name__)


class TimeBudget:
    """Ends a training cleanly when a wall-clock budget is used up.

    The clock starts when the budget is made, so that reading the data and every stage of a run count. The stages of
    a run share one budget; a :class:`Deadline` ends each. Ignite's `TimeLimit` has a clock of its own in each
    handler, starting anew with it, and always goes over the limit by one iteration.

    Args:
        max_minutes: the budget; ``None`` is no limit.

    Raises:
        ConfigError: when `max_minutes` is not positive.
    """

    def __init__(self, max_minutes: float | None) -> None:
        if max_minutes is not None and not max_minutes > 0:
            raise ConfigError(f"max_minutes must be above 0, or null for no limit, got {max_minutes}.")
        self.seconds = None if max_minutes is None else 60.0 * max_minutes
        self.start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the clock started."""
        return time.monotonic() - self.start


class Deadline:
    """Ends its engine once a share of a time budget is used up.

    Args:
        budget: the run's budget.
        share: of the budget, in (0, 1]; 1 for the last stage.
    """

    def __init__(self, budget: TimeBudget, share: float = 1.0) -> None:
        if not 0.0 < share <= 1.0:
            raise ConfigError(f"the share of a time budget must lie in (0, 1], got {share}.")
        self.budget = budget
        self.share = share
        self._last = budget.elapsed

    @property
    def seconds(self) -> float | None:
        """The end, in seconds after the budget's start."""
        return None if self.budget.seconds is None else self.share * self.budget.seconds

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        if self.seconds is not None:
            engine.add_event_handler(Events.STARTED, self._start)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def _start(self, _: Engine) -> None:
        self._last = self.budget.elapsed

    def __call__(self, engine: Engine) -> None:
        """End the engine if another iteration like the last one would not fit."""
        assert self.seconds is not None  # attached only then
        now = self.budget.elapsed
        iteration, self._last = now - self._last, now
        if now + iteration > self.seconds:
            logger.info("the time budget is used up after %.1f s, at iteration %d", now, engine.state.iteration)
            engine.terminate()
