# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A training's iterations, epoch by epoch, with the same work done another way in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ignite.engine import Engine, Events

from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["EpochTimer"]


class EpochTimer(ABC):
    """Times each epoch's iterations, and calls :meth:`time_others` behind what follows them.

    Attributes:
        watch: runs since the epoch's start.
        iterations: what the epoch's iterations took.
    """

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.iterations = Span(0.0, 0.0)

    def attach(self, trainer: ObjectiveTrainer) -> None:
        """Attach after all other handlers, so that those of iterations lie within what is timed."""
        last = Events.ITERATION_COMPLETED(event_filter=lambda e, i: i % e.state.epoch_length == 0)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(last, self._stop)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.time_others)

    def _start(self, trainer: ObjectiveTrainer) -> None:
        self.watch = Stopwatch(trainer.state.device)

    def _stop(self, _: Engine) -> None:
        self.iterations = self.watch.read()

    @abstractmethod
    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Time the other way, as often as the epoch had iterations; the first epoch is to warm up."""
