# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The end of a pass of an objective that is solved."""

from __future__ import annotations

from ignite.engine import Engine, Events

from monai_anomaly.engines.objectives.base import SolvedObjective

__all__ = ["SolveAtEpochEnd"]


class SolveAtEpochEnd:
    """Solves an objective at each epoch's end; its numbers become the engine's metrics.

    The trainer attaches it before its other handlers, so that what follows an epoch sees the solution.

    Args:
        objective: what is solved.
    """

    def __init__(self, objective: SolvedObjective) -> None:
        self.objective = objective

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Solve."""
        self.objective.solve()
        engine.state.metrics |= self.objective.metrics()
