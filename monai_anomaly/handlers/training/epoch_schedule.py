# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A schedule of PyTorch's that counts whole epochs."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine
from monai.handlers import LrScheduleHandler

__all__ = ["EpochSchedule"]


class EpochSchedule(LrScheduleHandler):
    """Steps a learning rate's schedule after every whole epoch.

    A run that a time budget ended goes on from the start of the epoch that was ended early. MONAI's handler would count
    that one twice, and every later epoch would have the rate of the next.

    Args:
        lr_scheduler: a scheduler of PyTorch's.
    """

    def __init__(self, lr_scheduler: Any) -> None:
        super().__init__(lr_scheduler, print_lr=False)

    def __call__(self, engine: Engine) -> None:
        """Step, if the epoch is whole."""
        if engine.state.iteration == engine.state.epoch * (engine.state.epoch_length or 0):
            super().__call__(engine)
