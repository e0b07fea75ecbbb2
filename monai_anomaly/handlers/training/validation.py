# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Validation during a training, and at the end of one that is cut short."""

from __future__ import annotations

from ignite.engine import Engine
from monai.engines.evaluator import Evaluator
from monai.handlers import ValidationHandler

from monai_anomaly.handlers.training.epoch_events import every_epochs

__all__ = ["Validation"]


class Validation(ValidationHandler):
    """Validates after every few epochs, and once more where a time budget ends the training.

    MONAI's handler, which knows no epoch but the whole ones that its interval names.

    Args:
        validator: runs the validation.
        interval: epochs between two validations.
    """

    def __init__(self, validator: Evaluator, interval: int) -> None:
        super().__init__(interval, validator)

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(every_epochs(self.interval), self)
