# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""When a process of the node ends."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event

__all__ = ["Stopping"]


class Stopping:
    """Asked after each step: the supervisor wants the end, or is no more.

    Args:
        event: that the supervisor sets.
    """

    def __init__(self, event: Event) -> None:
        self._event = event

    def is_asked(self) -> bool:
        """Return whether to end now."""
        parent = multiprocessing.parent_process()
        return self._event.is_set() or (parent is not None and not parent.is_alive())

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is asked for; return whether it is."""
        self._event.wait(seconds)
        return self.is_asked()
