# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Validation during a training, and at the end of one that is cut short."""

from __future__ import annotations

import logging
import math

import ignite.distributed as idist
from ignite.engine import Engine
from monai.engines.evaluator import Evaluator
from monai.handlers import ValidationHandler

from monai_anomaly.handlers.training.epoch_events import every_epochs

__all__ = ["Validation"]

logger = logging.getLogger(__name__)


class Validation(ValidationHandler):
    """Validates after every few epochs, and once more where a time budget ends the training; says what came of it.

    MONAI's handler knows no epoch but the whole ones that its interval names. Its `StatsHandler` also tells the best
    value of all epochs, which chooses nothing here.

    Args:
        validator: runs the validation.
        interval: epochs between two validations.
    """

    def __init__(self, validator: Evaluator, interval: int) -> None:
        super().__init__(interval, validator)

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(every_epochs(self.interval), self)

    def __call__(self, engine: Engine) -> None:
        """Validate."""
        super().__call__(engine)
        if self.validator is None or idist.get_rank() > 0:
            return
        metrics = self.validator.state.metrics
        told = [f"{name} {value:.4f}" for name, value in metrics.items() if _is_finite(value)]
        if told:
            logger.info("validation after epoch %d: %s", engine.state.epoch, ", ".join(told))


def _is_finite(value: object) -> bool:
    """Whether it is a number to tell; a metric of one class is none."""
    return isinstance(value, (int, float)) and math.isfinite(value)
