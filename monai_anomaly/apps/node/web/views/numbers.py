# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import (
    Delivery,
    DeliveryState,
    Detector,
    Instance,
    Job,
    JobState,
    Refusal,
    Verdict,
)
from monai_anomaly.apps.node.web.views.filters import day_bounds
from monai_anomaly.metrics.exact_interval import exact_interval

__all__ = ["Alarms", "Numbers", "Waiting", "read_numbers", "read_waiting"]

WAITING = (JobState.QUEUED, JobState.SCORING)
"""States before there is a score."""


@dataclass(frozen=True)
class Alarms:
    """What a detector decided in a day.

    Args:
        detector: its row.
        decided: images with a decision, normal or anomalous.
        alarms: those called anomalous.
        not_applicable: those that the input guard refused.
        interval: of the share of alarms, 95 %, exact; None without decisions.
    """

    detector: Detector
    decided: int
    alarms: int
    not_applicable: int
    interval: tuple[float, float] | None

    @property
    def is_above(self) -> bool:
        """Whether even the interval's lower end is above the promised rate."""
        rate = self.detector.false_alarm_rate
        return self.interval is not None and rate is not None and self.interval[0] > rate


@dataclass(frozen=True)
class Waiting:
    """What waits now.

    Args:
        jobs: for a score.
        oldest: since when the first of them.
        dead: failed jobs.
        deliveries: by destination: number, since when, why the last one failed.
        dead_deliveries: given up.
    """

    jobs: int
    oldest: datetime | None
    dead: int
    deliveries: Sequence[tuple[str, int, datetime | None, str | None]]
    dead_deliveries: int


@dataclass(frozen=True)
class Numbers:
    """A day.

    Args:
        received: instances.
        scored: jobs.
        refused: jobs whose image the reader refused.
        copies: instances that were received in the day and came again.
        differing: instances with other bytes under their UID.
        alarms: of each detector that decided.
        verdicts: by word.
        door: refused before anything was stored: origin, code, last reason, number.
    """

    received: int
    scored: int
    refused: int
    copies: int
    differing: int
    alarms: Sequence[Alarms]
    verdicts: dict[str, int]
    door: Sequence[tuple[str, str, str, int]]


def read_numbers(session: Session, day: str) -> Numbers:
    """Read the numbers of a day.

    Args:
        session: to read in.
        day: ``YYYY-MM-DD``, UTC.
    """
    begin, end = day_bounds(day)

    def within(moment: Any) -> ColumnElement[bool]:
        return (moment >= begin) & (moment < end)

    received, copies, differing = session.execute(
        select(func.count(), func.sum(Instance.copies), func.sum(Instance.differing_copies)).where(
            within(Instance.received_at)
        )
    ).one()
    scored = session.scalar(select(func.count()).where(within(Job.scored_at))) or 0
    refused = session.scalar(select(func.count()).where(within(Job.finished_at), Job.state == JobState.REFUSED)) or 0
    verdicts = select(Verdict.verdict, func.count()).where(within(Verdict.at)).group_by(Verdict.verdict)
    door = (
        select(Refusal.origin, Refusal.code, func.max(Refusal.reason), func.sum(Refusal.number))
        .where(within(Refusal.hour))
        .group_by(Refusal.origin, Refusal.code)
        .order_by(func.sum(Refusal.number).desc())
        .limit(50)
    )
    return Numbers(
        received=received,
        scored=scored,
        refused=refused,
        copies=copies or 0,
        differing=differing or 0,
        alarms=_alarms(session, within(Job.scored_at)),
        verdicts={word: number for word, number in session.execute(verdicts)},
        door=[(origin, code, reason, number) for origin, code, reason, number in session.execute(door)],
    )


def _alarms(session: Session, in_day: ColumnElement[bool]) -> list[Alarms]:
    query = select(Job.detector_id, Job.decision, func.count()).where(in_day).group_by(Job.detector_id, Job.decision)
    numbers: dict[int, dict[str, int]] = {}
    for identifier, decision, number in session.execute(query):
        numbers.setdefault(identifier, {})[decision or ""] = number
    found = []
    for detector in session.scalars(select(Detector).where(Detector.id.in_(numbers)).order_by(Detector.id)):
        counts = numbers[detector.id]
        alarms = counts.get("anomalous", 0)
        decided = alarms + counts.get("normal", 0)
        interval = exact_interval(alarms, decided) if decided else None
        found.append(Alarms(detector, decided, alarms, counts.get("not_applicable", 0), interval))
    return found


def read_waiting(session: Session) -> Waiting:
    """Read what waits now."""
    jobs, oldest = session.execute(select(func.count(), func.min(Job.created_at)).where(Job.state.in_(WAITING))).one()
    waiting = (
        select(Delivery.destination, func.count(), func.min(Delivery.created_at), func.max(Delivery.reason))
        .where(Delivery.state == DeliveryState.WAITING)
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    )
    dead_deliveries = select(func.count()).where(Delivery.state == DeliveryState.DEAD)
    return Waiting(
        jobs=jobs,
        oldest=oldest,
        dead=session.scalar(select(func.count()).where(Job.state == JobState.DEAD)) or 0,
        deliveries=[(name, number, since, reason) for name, number, since, reason in session.execute(waiting)],
        dead_deliveries=session.scalar(dead_deliveries) or 0,
    )
