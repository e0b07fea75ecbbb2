# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A progress bar over a whole training, with the time left."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from ignite.engine import Engine, Events
from tqdm.auto import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from monai_anomaly.handlers.training.scalars import scalars
from monai_anomaly.handlers.training.time_budget import Deadline

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Shows how far a run is, the time left and some of its numbers.

    Ignite's `ProgressBar` shows one epoch; people ask when the training ends. Under a time budget the bar counts
    seconds, otherwise iterations. What is logged meanwhile stands above the bar, not in it.

    Args:
        description: what is being done.
        keys: names of the trainer's output to show.
        deadline: the handler that ends this engine, if there is one.
        interval: iterations between two updates.
    """

    def __init__(
        self,
        description: str = "training",
        *,
        keys: tuple[str, ...] = ("loss",),
        deadline: Deadline | None = None,
        interval: int = 5,
    ) -> None:
        self.description = description
        self.keys = keys
        self.deadline = deadline if deadline is not None and deadline.seconds is not None else None
        self.interval = interval
        self._bar: tqdm | None = None
        self._logging = ExitStack()

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer or evaluator."""
        engine.add_event_handler(Events.STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval), self._advance)
        engine.add_event_handler(Events.COMPLETED, self._close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._abort)

    def _open(self, engine: Engine) -> None:
        self._logging.enter_context(logging_redirect_tqdm())
        if self.deadline is None:
            total: float = (engine.state.epoch_length or 0) * (engine.state.max_epochs or 1)
            self._bar = tqdm(total=int(total), desc=self.description, initial=engine.state.iteration)
        else:
            start = self.deadline.budget.elapsed
            total = max(0.0, (self.deadline.seconds or 0.0) - start)
            self._bar = tqdm(
                total=round(total),
                desc=self.description,
                bar_format="{l_bar}{bar}| {n:.0f} of {total:.0f} s, {remaining} left{postfix}",
            )
            self._start = start

    def _advance(self, engine: Engine) -> None:
        if self._bar is None:
            return
        if self.keys and engine.state.output:
            values = scalars(engine.state.output)
            self._bar.set_postfix({k: float(values[k]) for k in self.keys if k in values}, refresh=False)
        if self.deadline is None:
            self._bar.update(engine.state.iteration - self._bar.n)
        else:
            self._bar.update(min(self.deadline.budget.elapsed - self._start, self._bar.total) - self._bar.n)

    def _close(self, engine: Engine) -> None:
        if self._bar is not None:
            self._advance(engine)
            self._close_bar()

    def _abort(self, engine: Engine, error: BaseException) -> Any:
        self._close_bar()
        raise error

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._logging.close()
