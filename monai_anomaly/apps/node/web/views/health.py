# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the node can do its work: database, disk, queue, scoring that goes on, and its parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Job, now
from monai_anomaly.apps.node.web.views.numbers import WAITING
from monai_anomaly.apps.node.web.views.parts import read_kinds

__all__ = ["STALLED_SECONDS", "Health", "Limits", "check_health"]

NEEDED = ("receiver", "worker")
"""Without the first nothing is received, without the second nothing is scored."""

STALLED_SECONDS = 300.0
"""An image that waits for longer, while no worker has taken one for as long, says that nobody scores."""


@dataclass(frozen=True)
class Limits:
    """From where on a node takes nothing more in.

    Args:
        min_free_bytes: of the disk.
        max_waiting: jobs without a score.
    """

    min_free_bytes: int = 1 << 30
    max_waiting: int = 100_000


@dataclass(frozen=True)
class Health:
    """How the node is.

    Args:
        status: ``"ok"``; ``"degraded"`` when a part is not well and others do its work, or results wait; ``"failing"``
            when images cannot be taken in or scored.
        checks: what is wrong, or ``"ok"``, by the name of each check.
    """

    status: str
    checks: dict[str, str]


def check_health(database: Database, folder: Path, limits: Limits) -> Health:
    """Look at everything.

    Args:
        database: the node's.
        folder: the node's.
        limits: of disk and queue.
    """
    checks = {
        "database": _in_database(database, lambda session: ""),
        "disk": _check_disk(folder, limits.min_free_bytes) or "ok",
        "queue": _in_database(database, lambda session: _check_queue(session, limits.max_waiting)),
        "scoring": _in_database(database, _check_scoring),
    }
    failing = any(said != "ok" for said in checks.values())
    try:
        with database.read() as session:
            kinds = read_kinds(session)
    except SQLAlchemyError:  # said already
        return Health("failing", checks)
    checks |= {kind.name: str(kind) for kind in kinds}
    failing |= any(kind.is_down for kind in kinds if kind.name in NEEDED)
    well = all(said == "ok" for said in checks.values())
    return Health("failing" if failing else "ok" if well else "degraded", checks)


def _in_database(database: Database, check: Callable[[Session], str]) -> str:
    try:
        with database.read() as session:
            session.execute(select(1))
            return check(session) or "ok"
    except SQLAlchemyError as error:
        return f"the database does not answer ({type(error).__name__})"


def _check_disk(folder: Path, min_free_bytes: int) -> str:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the node's folder cannot be looked at ({error.strerror})"
    return "" if free >= min_free_bytes else f"only {free >> 20} MiB are free"


def _check_queue(session: Session, max_waiting: int) -> str:
    waiting = session.scalar(select(func.count()).select_from(Job).where(Job.state.in_(WAITING))) or 0
    return "" if waiting < max_waiting else f"{waiting} images wait"


def _check_scoring(session: Session) -> str:
    """Take the queue's word: what is due waits, and no worker takes it."""
    at = now()
    due = select(func.min(Job.next_attempt_at)).where(Job.state.in_(WAITING))
    oldest, taken = session.scalar(due), session.scalar(select(func.max(Job.started_at)))
    waits = 0.0 if oldest is None else (at - oldest).total_seconds()
    silent = waits if taken is None else min(waits, (at - taken).total_seconds())
    return "" if silent <= STALLED_SECONDS else f"images wait, and no worker has taken one for {silent:.0f} s"
