# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""When a Gaussian descriptor is taken anew, and how much it weighs, over the epochs of a training."""

from __future__ import annotations

from typing import Protocol

from ignite.engine import Engine, Events

from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["DescriptorSchedule"]


class _Scheduled(Protocol):
    def begin_epoch(self, epoch: int) -> None: ...

    def refresh(self, images: ImageSequence) -> None: ...


class DescriptorSchedule:
    """Tells an objective which epoch begins, and has it refresh its descriptor in the first and every few epochs.

    All depends on the epoch and the weights alone, so that a resumed run is the uninterrupted one.

    Args:
        objective: an objective with ``begin_epoch`` and ``refresh``, such as OCAD's.
        images: all training normals ``(N, C, H, W)``, preprocessed, not augmented.
        interval: epochs between two refreshes.

    Raises:
        ValueError: for an interval below 1.
    """

    def __init__(self, objective: _Scheduled, images: ImageSequence, *, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}.")
        self.objective = objective
        self.images = images
        self.interval = interval

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, in every process."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Begin an epoch."""
        self.objective.begin_epoch(engine.state.epoch)
        if (engine.state.epoch - 1) % self.interval == 0:
            self.objective.refresh(self.images)
