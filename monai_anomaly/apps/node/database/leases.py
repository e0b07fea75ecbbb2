# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Leases as a whole: who lives makes them longer, and what is held by who ends or died is put back.

An owner is ``MACHINE:PROCESS:CHANCE``; functions take the whole of it, or its first one or two parts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Delivery, Job, JobState, now

__all__ = ["LEASE_SECONDS", "recover", "release", "renew"]

LEASE_SECONDS = 60.0
"""For how long what was taken stays its owner's, unless it is renewed: how long a dead machine's jobs wait."""

RECOVERY_SECONDS = 10.0
"""How long a job waits that the end of the whole node has interrupted: the others go first."""

KINDS: tuple[Any, ...] = (Job, Delivery)


def renew(session: Session, owner: str) -> None:
    """Make all leases of an owner last from now on; one that another has taken meanwhile stays the other's.

    Args:
        session: that may write.
        owner: whose leases.
    """
    until = now() + timedelta(seconds=LEASE_SECONDS)
    for kind in KINDS:
        session.execute(update(kind).where(_held(kind, owner)).values(lease_until=until))


def release(session: Session, owner: str, *, attempt_counts: bool = True) -> None:
    """Put back at once what an owner holds who does no more with it; else its leases had to run out.

    Args:
        session: that may write.
        owner: whose leases.
        attempt_counts: false where the node was told to end, which is no fault of a job.
    """
    for kind in KINDS:
        rows: Any = session.scalars(select(kind).where(_held(kind, owner)).with_for_update())
        for row in rows:
            row.lease_owner = row.lease_until = None
            if isinstance(row, Job) and row.state == JobState.SCORING:
                row.state, row.attempts = JobState.QUEUED, row.attempts - (0 if attempt_counts else 1)


def recover(session: Session, machine: str) -> None:
    """Put back what an earlier run of the node held, all of whose processes ended at once, such as by a loss of power.

    That is hardly a job's fault, so it is none of its attempts but the first one: a job that was interrupted is tried
    alone, after the others that wait. One that does end the whole node holds up no other for good.

    Args:
        session: that may write.
        machine: whose earlier run.
    """
    interrupted = (_held(Job, machine), Job.state == JobState.SCORING)
    pause = now() + timedelta(seconds=RECOVERY_SECONDS)
    for job in session.scalars(select(Job).where(*interrupted).with_for_update()):
        job.next_attempt_at, job.attempts = pause, max(job.attempts, 2)
    release(session, machine, attempt_counts=False)


def _held(kind: Any, owner: str) -> Any:
    return or_(kind.lease_owner == owner, kind.lease_owner.startswith(f"{owner}:", autoescape=True))
