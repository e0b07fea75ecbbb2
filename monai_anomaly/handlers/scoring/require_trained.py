# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""No run without trained weights."""

from __future__ import annotations

from typing import Protocol

from ignite.engine import Engine, Events

__all__ = ["RequireTrained"]


class _Trainable(Protocol):
    def require_trained(self) -> None: ...


class RequireTrained:
    """Ends a run when it starts with a detector that was not trained.

    A bundle's settings can be looked at before any training, with initial weights; scores of these mean nothing.

    Args:
        trained: a :class:`monai_anomaly.bundle.trained_detector.TrainedDetector`.
    """

    def __init__(self, trained: _Trainable) -> None:
        self.trained = trained

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, _: Engine) -> None:
        """Raise a CheckpointError where there are no weights."""
        self.trained.require_trained()
