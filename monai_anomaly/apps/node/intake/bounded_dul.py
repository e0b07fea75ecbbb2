# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The upper layer of a connection, whose end is the association's end at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider

__all__ = ["BoundedDul"]

WAITING_FOR_REQUEST = "Sta2"  # PS3.8 9.2.1


class BoundedDul(DULServiceProvider):
    """Tell the association when the connection has ended.

    With pynetdicom's own, the association of a peer that closed before it asked for anything waits for half a minute,
    and so does one whose peer closed in the moment of an answer, which the state machine has no transition for: a few
    such connections would keep all others out.

    Args:
        assoc: the association.
        refused: called with a code when the state machine fails.
    """

    def __init__(self, assoc: Association, refused: Callable[[str], None]) -> None:
        super().__init__(assoc)
        self.daemon = True
        self.since = time.monotonic()
        self._refused = refused

    @property
    def is_silent(self) -> bool:
        """Whether the peer has not asked for an association yet."""
        return self.state_machine.current_state == WAITING_FOR_REQUEST

    def run_reactor(self) -> None:
        """Serve the connection until it ends."""
        try:
            super().run_reactor()
        except Exception:  # of the state machine, or of a peer that has gone; its text and traceback hold values
            self._refused("broken_off")
            if self.socket is not None:
                self.socket.close()
        finally:
            self.to_user_queue.put(None)  # type: ignore[arg-type] # who waits for a request is told that none comes
