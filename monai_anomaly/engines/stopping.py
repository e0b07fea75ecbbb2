# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An engine that a signal ends after the step that it is in."""

from __future__ import annotations

from ignite.engine import Engine, Events

from monai_anomaly.utils.stop_signals import advise, is_asked, wait_for_steps

__all__ = ["StopAtStep"]


class StopAtStep:
    """Ends its engine after the iteration in which SIGTERM or Ctrl-C came, without what follows the last epoch.

    The last iteration of an epoch is followed by the epoch's end, so that no whole epoch is lost. Whoever runs the
    engine calls :func:`~monai_anomaly.utils.stop_signals.end_if_asked` after it.

    Args:
        advice: what to do next, in words, for the sentence that the program ends with; None leaves it to others.
    """

    def __init__(self, advice: str | None = None) -> None:
        self.advice = advice

    def attach(self, engine: Engine) -> None:
        """Attach to an engine."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._look)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end)
        engine.add_event_handler(Events.COMPLETED, self._let_go)

    def _begin(self, _: Engine) -> None:
        wait_for_steps(True)
        if self.advice is not None:
            advise(self.advice)

    def _look(self, engine: Engine) -> None:
        if engine.state.iteration % (engine.state.epoch_length or 1):
            self._end(engine)

    def _end(self, engine: Engine) -> None:
        total = (engine.state.max_epochs or 1) * (engine.state.epoch_length or 1)
        if is_asked(f"after step {engine.state.iteration} of {total}"):
            wait_for_steps(False)
            engine.terminate(skip_completed=True)

    def _let_go(self, _: Engine) -> None:
        """Let a signal end what follows the last step at once: its files are whole or not there."""
        wait_for_steps(False)
