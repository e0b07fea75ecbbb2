# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What each process of the node does beside its work: it says that it lives, and keeps what it has taken."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.heartbeats import beat
from monai_anomaly.apps.node.database.leases import LEASE_SECONDS, release, renew
from monai_anomaly.apps.node.opening import machine_name, open_database, process_name
from monai_anomaly.apps.node.stopping import END_SECONDS, Stopping

__all__ = ["BEAT_SECONDS", "HANG_SECONDS", "Pulse", "keep_pulse"]

BEAT_SECONDS = 10.0  # several fail before a lease is lost
assert BEAT_SECONDS * 3 < LEASE_SECONDS

HANG_SECONDS = 3600.0
"""No step takes so long: a process that has done none for so long is ended, and started again by the supervisor."""

ENDED_BY_PULSE = 70

logger = logging.getLogger("monai_anomaly.node")


class Pulse:
    """Signs of life of one process.

    Args:
        database: of the node.
        part: what the process is.
        stopping: asked after each step of the process.
        leave: ends the process at once.
    """

    def __init__(
        self, database: Database, part: str, stopping: Stopping, leave: Callable[[int], None] = os._exit
    ) -> None:
        self._database, self._part, self._stopping, self._leave = database, part, stopping, leave
        self._started = time.monotonic()
        self._told: float | None = None

    def beat(self) -> None:
        """Say that the process lives, and renew its leases."""
        try:
            with self._database.begin() as session:
                beat(
                    session,
                    machine_name(),
                    self._part,
                    lived_seconds=time.monotonic() - self._started,
                    silent_seconds=self._stopping.silent_seconds,
                )
                renew(session, process_name())
        except SQLAlchemyError as error:  # the database may come back; until then leases run out
            logger.error("%s: no sign of life (%s)", self._part, type(error).__name__)

    def look(self) -> None:
        """End a process that hangs, and one that does not end though it was told to, as nobody else might.

        The supervisor kills what does not end. But it may have been killed itself.
        """
        if self._stopping.is_over:
            self._told = self._told or time.monotonic()
            if time.monotonic() - self._told > END_SECONDS:
                self._end(attempt_counts=False)
        elif self._stopping.silent_seconds > HANG_SECONDS:
            logger.error("%s has done no step for %.0f s and is ended", self._part, self._stopping.silent_seconds)
            self._end(attempt_counts=True)

    def _end(self, *, attempt_counts: bool) -> None:
        try:
            with self._database.begin() as session:
                release(session, process_name(), attempt_counts=attempt_counts)
        except SQLAlchemyError:  # then the leases run out
            pass
        self._leave(ENDED_BY_PULSE)


def keep_pulse(settings: NodeSettings, part: str, stopping: Stopping) -> None:
    """Start the pulse of this process, in a thread that ends with it.

    Raises:
        ConfigError: when the database cannot be opened.
    """
    pulse = Pulse(open_database(settings), part, stopping)

    def run() -> None:
        beaten = -BEAT_SECONDS
        while True:
            if time.monotonic() - beaten >= BEAT_SECONDS:
                beaten = time.monotonic()
                pulse.beat()
            pulse.look()
            time.sleep(1.0)

    threading.Thread(target=run, name="pulse", daemon=True).start()
