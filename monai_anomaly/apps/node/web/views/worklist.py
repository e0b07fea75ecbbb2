# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The worklist: one query for a page of it, by the database's own sorting and LIMIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Detector, Instance, Job, Verdict
from monai_anomaly.apps.node.web.views.filters import STATES, Filters, day_bounds

__all__ = ["PAGE", "Row", "Worklist", "count_states", "find_neighbors", "read_promise", "read_worklist"]

PAGE = 50
"""Cases of a page."""

_MOST_DEVICES = 200


@dataclass(frozen=True)
class Row:
    """A case in the list.

    Args:
        job: its columns that the list shows; see ``_SHOWN``.
        place: in the whole list, from 0 on.
        verdict: the newest one; None without.
        undelivered: results that no destination has accepted yet.
    """

    job: Any
    place: int
    verdict: str | None
    undelivered: int


@dataclass(frozen=True)
class Worklist:
    """A page of the list.

    Args:
        rows: at most :data:`PAGE`.
        number: of cases in all pages.
        pages: how many there are, at least 1.
        devices: that there are to choose from.
    """

    rows: Sequence[Row]
    number: int
    pages: int
    devices: Sequence[str]


_SHOWN = (
    *(Job.id, Job.state, Job.score, Job.p_value, Job.decision, Job.decision_reason, Job.code, Job.reason),
    *(Job.device, Instance.sop_class_uid, Job.rows, Job.columns, Job.attempts, Job.created_at, Job.next_attempt_at),
    *(Job.scored_at, Job.frame, Job.results),
)


def read_worklist(session: Session, filters: Filters) -> Worklist:
    """Read a page of the list.

    Args:
        session: to read in.
        filters: which cases, in which order.
    """
    number = session.scalar(_narrowed(select(func.count()).select_from(Job), filters)) or 0
    start = (filters.page - 1) * PAGE
    shown = select(*_SHOWN).join(Job.instance)
    jobs = session.execute(_ordered(_narrowed(shown, filters), filters).limit(PAGE).offset(start)).all()
    ids = [job.id for job in jobs]
    verdicts, undelivered = _newest_verdicts(session, ids), _undelivered(session, ids)
    rows = [Row(job, start + i, verdicts.get(job.id), undelivered.get(job.id, 0)) for i, job in enumerate(jobs)]
    return Worklist(rows, number, max(1, -(-number // PAGE)), _devices(session))


def find_neighbors(session: Session, filters: Filters, place: int) -> tuple[int | None, int | None]:
    """Return the cases before and after a place in the list, None at its ends."""
    first = max(0, place - 1)
    query = _ordered(_narrowed(select(Job.id), filters), filters).limit(place + 2 - first).offset(first)
    ids = list(session.scalars(query))
    after = place + 1 - first
    return ids[0] if place > 0 and ids else None, ids[after] if after < len(ids) else None


def read_promise(session: Session) -> Detector | None:
    """Return the detector that scores now, if it promises a rate of false alarms."""
    newest = session.scalar(select(Detector).order_by(Detector.first_used_at.desc(), Detector.id.desc()).limit(1))
    return newest if newest is not None and newest.false_alarm_rate is not None else None


def count_states(session: Session) -> dict[str, int]:
    """Return how many jobs there are of each group of :data:`.STATES`."""
    numbers = {state: number for state, number in session.execute(select(Job.state, func.count()).group_by(Job.state))}
    return {name: sum(numbers.get(state, 0) for state in states) for name, states in STATES.items()}


def _narrowed(query: Any, filters: Filters) -> Any:
    if filters.day:
        begin, end = day_bounds(filters.day)
        query = query.where(Job.created_at >= begin, Job.created_at < end)
    if filters.device:
        query = query.where(Job.device == filters.device)
    if filters.decision:
        query = query.where(Job.decision == filters.decision)
    if filters.state:
        query = query.where(Job.state.in_(STATES[filters.state]))
    return query


def _ordered(query: Select[Any], filters: Filters) -> Select[Any]:
    """Most anomalous first: by p-value, then score; after them what the guard refused, then what has no score."""
    if filters.order == "newest":
        return query.order_by(Job.created_at.desc(), Job.id.desc())
    if filters.order == "oldest":
        return query.order_by(Job.created_at, Job.id)
    trusted = case((Job.score.is_(None), 2), (Job.decision == "not_applicable", 1), else_=0)
    return query.order_by(trusted, Job.p_value.nulls_last(), Job.score.desc().nulls_last(), Job.id.desc())


def _newest_verdicts(session: Session, ids: Sequence[int]) -> dict[int | None, str]:
    newest = select(func.max(Verdict.id)).where(Verdict.job_id.in_(ids)).group_by(Verdict.job_id)
    rows = session.execute(select(Verdict.job_id, Verdict.verdict).where(Verdict.id.in_(newest)))
    return {job: verdict for job, verdict in rows}


def _undelivered(session: Session, ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(Delivery.job_id, func.count())
        .where(Delivery.job_id.in_(ids), Delivery.state != DeliveryState.ACCEPTED)
        .group_by(Delivery.job_id)
    )
    return {job: number for job, number in session.execute(query)}


def _devices(session: Session) -> Sequence[str]:
    query = select(Job.device).where(Job.device.is_not(None)).distinct().order_by(Job.device).limit(_MOST_DEVICES)
    return [device for device in session.scalars(query) if device]
