# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Signs of life of the node's parts; each function is one step of a transaction that the caller begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Heartbeat, now

__all__ = ["STEADY_SECONDS", "announce", "beat", "forget_old", "note_death", "withdraw"]

STEADY_SECONDS = 60.0
"""A process that lived so long did not die young."""

FORGET_DAYS = 1.0


def announce(session: Session, machine: str, parts: Sequence[str]) -> None:
    """Enter the parts that are started on a machine, and only these."""
    withdraw(session, machine)
    session.add_all(Heartbeat(machine=machine, part=part) for part in parts)


def beat(session: Session, machine: str, part: str, *, lived_seconds: float, silent_seconds: float) -> None:
    """Enter that a part lives.

    Args:
        session: that may write.
        machine: that it runs on.
        part: its name.
        lived_seconds: since its process was started.
        silent_seconds: since its last step.
    """
    found = session.merge(Heartbeat(machine=machine, part=part))
    found.at, found.is_dead, found.silent_seconds = now(), False, silent_seconds
    found.started_at = now() - timedelta(seconds=lived_seconds)
    if lived_seconds > STEADY_SECONDS:
        found.deaths = 0


def note_death(session: Session, machine: str, part: str, deaths: int) -> None:
    """Enter that a part's process died.

    Args:
        session: that may write.
        machine: that it ran on.
        part: its name.
        deaths: how often in a row it died young.
    """
    found = session.merge(Heartbeat(machine=machine, part=part))
    found.is_dead, found.deaths = True, deaths


def withdraw(session: Session, machine: str) -> None:
    """Forget the parts of a machine, which end in order."""
    session.execute(delete(Heartbeat).where(Heartbeat.machine == machine))


def forget_old(session: Session) -> None:
    """Forget the parts of machines that have not been heard of for a day."""
    session.execute(delete(Heartbeat).where(Heartbeat.at < now() - timedelta(days=FORGET_DAYS)))
