# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the verb ``queue`` says and does; no text has anything of a patient or a UID."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.queue import revive
from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Job, JobState
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["queue_text", "try_again"]

STATES = ("queued", "scoring", "scored", "sending", "done", "refused", "dead")
MOST = 100


def try_again(database: Database, jobs: Sequence[int]) -> None:
    """Give jobs that were given up new attempts; all of them, or none.

    Args:
        database: of the node.
        jobs: their numbers.

    Raises:
        ConfigError: for a job that was not given up; names it.
    """
    with database.begin() as session:
        for job in jobs:
            if not revive(session, job):
                raise ConfigError(f"--again: job {job} was not given up; 'queue --dead' lists those that were.")


def queue_text(database: Database, *, dead: bool = False) -> str:
    """Return the number of jobs in each state and of deliveries that wait, a line each.

    Args:
        database: of the node.
        dead: list up to 100 of the jobs that were given up, too, the newest first.
    """
    with database.read() as session:
        rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
        numbers = {state: number for state, number in rows}
        lines = [f"{state:<20} {numbers.get(state, 0)}" for state in STATES]
        lines += _waiting_lines(session)
        if dead:
            lines += _dead_lines(session)
    return "\n".join(lines)


def _waiting_lines(session: Session) -> list[str]:
    query = (
        select(Delivery.destination, func.count(), func.max(Delivery.attempts))
        .where(Delivery.state == DeliveryState.WAITING)
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    )
    return [
        f"{number} results wait for '{destination}', tried up to {attempts} times"
        for destination, number, attempts in session.execute(query)
    ]


def _dead_lines(session: Session) -> list[str]:
    query = select(Job).where(Job.state == JobState.DEAD).order_by(Job.id.desc()).limit(MOST)
    return [f"job {job.id}: {job.code} after {job.attempts} attempts: {job.reason}" for job in session.scalars(query)]
