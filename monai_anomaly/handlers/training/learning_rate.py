# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Learning rates that reach zero when the training ends, also where a clock ends it."""

from __future__ import annotations

from collections.abc import Mapping

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from monai_anomaly.handlers.training.time_budget import Deadline

__all__ = ["LearningRateDecay"]


class LearningRateDecay:
    """Warm up, hold, then fall linearly to zero at the end of the training.

    The rate is a function of the progress alone: of the iterations made, or of the time budget used where that is
    further. PyTorch's schedulers need the number of steps beforehand, which a run with a time budget does not know.
    Nothing needs saving: a resumed run computes the same rates.

    Args:
        optimizers: whose learning rates to set; the rates they have now are the highest.
        deadline: the handler that ends this training, if there is one.
        warmup: share of the training in which the rate rises.
        hold: share at which it begins to fall.
    """

    def __init__(
        self,
        optimizers: Mapping[str, Optimizer],
        *,
        deadline: Deadline | None = None,
        warmup: float = 0.05,
        hold: float = 0.5,
    ) -> None:
        if not 0.0 <= warmup <= hold < 1.0:
            raise ValueError(f"warmup and hold must satisfy 0 <= warmup <= hold < 1, got {warmup} and {hold}.")
        self.deadline = deadline
        self.warmup = warmup
        self.hold = hold
        self._peaks = [(group, float(group["lr"])) for o in optimizers.values() for group in o.param_groups]
        self._optimizers = tuple(optimizers.values())
        self._start = 0.0

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def factor(self, progress: float) -> float:
        """Return the rate at a share of the training in [0, 1], relative to its highest."""
        if progress < self.warmup:
            return progress / self.warmup
        return min(1.0, (1.0 - progress) / (1.0 - self.hold))

    def _begin(self, _: Engine) -> None:
        # Loading an optimizer's state replaces its groups' dictionaries.
        groups = [group for o in self._optimizers for group in o.param_groups]
        self._peaks = [(group, peak) for group, (_, peak) in zip(groups, self._peaks, strict=True)]
        self._start = 0.0 if self.deadline is None else self.deadline.budget.elapsed

    def __call__(self, engine: Engine) -> None:
        """Set the rates for the iteration that starts; its middle counts, so that none is zero."""
        total = (engine.state.max_epochs or 1) * (engine.state.epoch_length or 1)
        progress = (engine.state.iteration - 0.5) / total
        if self.deadline is not None and self.deadline.seconds is not None:
            used = self.deadline.budget.elapsed - self._start
            progress = max(progress, used / max(1e-9, self.deadline.seconds - self._start))
        factor = self.factor(min(1.0, progress))
        for group, peak in self._peaks:
            group["lr"] = peak * factor
