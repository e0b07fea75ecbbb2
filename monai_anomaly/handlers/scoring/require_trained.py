# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""No run without trained weights, and none with half-trained ones without a word."""

from __future__ import annotations

import logging
from typing import Protocol

from ignite.engine import Engine, Events

__all__ = ["RequireTrained"]


logger = logging.getLogger(__name__)


class _Trainable(Protocol):
    @property
    def unfinished(self) -> str: ...

    @property
    def pool_warning(self) -> str: ...

    def require_trained(self) -> None: ...


class RequireTrained:
    """Ends a run when it starts with a detector that was not trained.

    A bundle's settings can be looked at before any training, with initial weights; scores of these mean nothing. A
    training that a time budget cut short is a warning, and so is one whose pool differed from its normals.

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
        self.warn()

    def warn(self) -> None:
        """Say what a budget or a pool did to the training."""
        if self.trained.unfinished:
            logger.warning("the training was cut short by its time budget: %s.", self.trained.unfinished)
        if self.trained.pool_warning:
            logger.warning("the pool of the training differed from its normals: %s", self.trained.pool_warning)
