# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""When a process of the node ends."""

from __future__ import annotations

import threading
import time
from multiprocessing.connection import Connection

__all__ = ["END_SECONDS", "Stopping"]

END_SECONDS = 6.0
"""What a part has to end in; then it is killed. The node as a whole has 10 s, also on a machine with much to do."""


class Stopping:
    """Asked after each step: the supervisor wants the end, or is no more.

    It is a pipe that nothing is sent through: its other end is closed, by the supervisor or by the system. An event of
    ``multiprocessing`` would stay locked for ever where a process is killed in the middle of waiting for it.

    Who asks has done a step: a thread that hangs does not ask any more.

    Args:
        pipe: the reading end; may be asked from several threads.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._made = time.monotonic()
        self._steps: dict[int, float] = {}

    def is_asked(self) -> bool:
        """Return whether to end now."""
        return self.wait(0.0)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is asked for; return whether it is."""
        self._steps[threading.get_ident()] = time.monotonic()
        return self._pipe.poll(seconds)

    @property
    def is_over(self) -> bool:
        """Whether the end is wanted, for who looks on and does no step."""
        return self._pipe.poll(0)

    @property
    def silent_seconds(self) -> float:
        """How long ago the last step was, of the thread that has done none for longest."""
        return time.monotonic() - min(self._steps.copy().values(), default=self._made)
