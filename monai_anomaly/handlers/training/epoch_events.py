# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""When to do what is done after every few epochs."""

from __future__ import annotations

from ignite.engine import Engine, Events
from ignite.engine.events import CallableEventWithFilter

__all__ = ["every_epochs"]


def every_epochs(interval: int) -> CallableEventWithFilter:
    """Return the event of the end of every few epochs, and of an epoch that a time budget ended early.

    So a training that is cut short is validated and shown once at its end, however short it was.

    Args:
        interval: epochs between two events, at least 1.

    Raises:
        ValueError: for an interval below 1.
    """
    if interval < 1:
        raise ValueError(f"interval must be at least 1, got {interval}.")

    def is_due(engine: Engine, epoch: int) -> bool:
        return epoch % interval == 0 or bool(engine.should_terminate_single_epoch)

    return Events.EPOCH_COMPLETED(event_filter=is_due)
