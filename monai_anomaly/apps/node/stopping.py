# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""When a process of the node ends."""

from __future__ import annotations

from multiprocessing.connection import Connection

__all__ = ["Stopping"]


class Stopping:
    """Asked after each step: the supervisor wants the end, or is no more.

    It is a pipe that nothing is sent through: its other end is closed, by the supervisor or by the system. An event of
    ``multiprocessing`` would stay locked for ever where a process is killed in the middle of waiting for it.

    Args:
        pipe: the reading end; may be asked from several threads.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def is_asked(self) -> bool:
        """Return whether to end now."""
        return self._pipe.poll(0)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is asked for; return whether it is."""
        return self._pipe.poll(seconds)
