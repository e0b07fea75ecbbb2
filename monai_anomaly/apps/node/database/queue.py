# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a job and a delivery go through; each function is one step of a transaction that the caller begins.

A job or a delivery is held by a lease. Who has lost it changes nothing any more: another has taken it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Detector, Job, JobState, now

__all__ = [
    "accept_deliveries",
    "fail_job",
    "finish_job",
    "known_detector",
    "next_deliveries",
    "next_jobs",
    "postpone_delivery",
    "refuse_job",
    "revive",
]

_Query = TypeVar("_Query", bound="Select[Any]")


def known_detector(session: Session, *, weights: str, calibration: str, **facts: Any) -> int:
    """Return the number of a detector, which is entered when it is new."""
    where = (Detector.weights == weights, Detector.calibration == calibration)
    found = session.scalar(select(Detector).where(*where))
    if found is None:
        found = Detector(weights=weights, calibration=calibration, **facts)
        session.add(found)
        session.flush()
    else:
        for name in ("false_alarm_rate", "threshold"):  # what is promised now
            setattr(found, name, facts[name])
    return found.id


def next_jobs(
    session: Session, detector: int, owner: str, *, lease_seconds: float, most: int = 1, most_attempts: int = 5
) -> list[Job]:
    """Take the jobs that wait longest, and those whose worker has let its lease run out.

    A job that was tried before is taken alone: what ended its worker must not end others with it again. One whose
    workers ended as often as is allowed is given up.

    Args:
        session: that may write.
        detector: whose jobs.
        owner: who takes them.
        lease_seconds: how long they are its own.
        most: how many at most.
        most_attempts: after which a job whose worker ended is given up.
    """
    at = now()
    waiting = and_(Job.state == JobState.QUEUED, Job.next_attempt_at <= at)
    lost = and_(Job.state == JobState.SCORING, Job.lease_until < at)
    query = select(Job).where(Job.detector_id == detector, or_(waiting, lost)).order_by(Job.id).limit(most)
    jobs = []
    for job in session.scalars(query.with_for_update(skip_locked=True)):
        if job.attempts >= most_attempts:  # one that failed as often is dead already
            job.state, job.lease_owner, job.lease_until = JobState.DEAD, None, None
            job.code, job.reason = "worker_ended", f"its worker ended {job.attempts} times while it was scored."
        else:
            jobs.append(job)
    jobs = jobs[:1] if jobs and jobs[0].attempts else [job for job in jobs if not job.attempts]
    for job in jobs:
        job.state, job.attempts, job.started_at = JobState.SCORING, job.attempts + 1, at
        job.lease_owner, job.lease_until = owner, at + timedelta(seconds=lease_seconds)
    return jobs


def finish_job(session: Session, job: int, owner: str, values: dict[str, Any], deliveries: Sequence[Delivery]) -> bool:
    """Enter a score with the deliveries of its results, in one step.

    Args:
        session: that may write.
        job: its number.
        owner: who has it.
        values: columns of the job, with ``code`` and ``reason`` where the results cannot be made, else None for both.
        deliveries: what is to be sent; none ends the job.

    Returns:
        Whether the job was still the owner's; if not, nothing was entered.
    """
    found = _own_job(session, job, owner)
    if found is None:
        return False
    at = now()
    for name, value in values.items():
        setattr(found, name, value)
    found.state, found.scored_at = JobState.SCORED, at
    session.add_all(deliveries)
    if not deliveries:
        found.state, found.finished_at = JobState.DONE, at
    return True


def refuse_job(session: Session, job: int, owner: str, code: str, reason: str, values: dict[str, Any]) -> bool:
    """End the job of an image that the reader refuses; as :func:`finish_job`."""
    found = _own_job(session, job, owner)
    if found is None:
        return False
    for name, value in values.items():
        setattr(found, name, value)
    found.state, found.code, found.reason, found.finished_at = JobState.REFUSED, code, reason, now()
    return True


def fail_job(
    session: Session, job: int, owner: str, code: str, reason: str, *, pause_seconds: float, most_attempts: int
) -> bool:
    """Put a job back that failed, or give it up after so many attempts; as :func:`finish_job`."""
    found = _own_job(session, job, owner)
    if found is None:
        return False
    found.code, found.reason = code, reason
    found.state = JobState.DEAD if found.attempts >= most_attempts else JobState.QUEUED
    found.next_attempt_at = now() + timedelta(seconds=pause_seconds)
    return True


def revive(session: Session, job: int) -> bool:
    """Give a job that was given up another row of attempts; say whether it was one."""
    found = session.get(Job, job, with_for_update=True)
    if found is None or found.state != JobState.DEAD:
        return False
    found.state, found.attempts, found.next_attempt_at = JobState.QUEUED, 0, now()
    return True


def next_deliveries(
    session: Session, destination: str, owner: str, *, lease_seconds: float, most: int = 64
) -> list[Delivery]:
    """Take what waits for a destination; as :func:`next_jobs`."""
    at = now()
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < at)
    due = and_(Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at <= at, free)
    query = select(Delivery).where(Delivery.destination == destination, due).order_by(Delivery.id).limit(most)
    found = list(session.scalars(query.with_for_update(skip_locked=True)))
    for delivery in found:
        delivery.lease_owner, delivery.lease_until = owner, at + timedelta(seconds=lease_seconds)
    return found


def accept_deliveries(session: Session, accepted: Mapping[int, str]) -> None:
    """Enter that a destination has taken objects; the last one of a job ends the job.

    It counts from whoever it comes: the objects are there.

    Args:
        session: that may write.
        accepted: what the destination said, by the deliveries' numbers.
    """
    at = now()
    known = select(Delivery).where(Delivery.id.in_(accepted), Delivery.state != DeliveryState.ACCEPTED)
    found = list(session.scalars(_locked(known.order_by(Delivery.id))))  # one order for all: none waits for another
    for delivery in found:
        delivery.state, delivery.accepted_at, delivery.reason = DeliveryState.ACCEPTED, at, accepted[delivery.id]
        delivery.attempts, delivery.lease_owner, delivery.lease_until = delivery.attempts + 1, None, None
    session.flush()
    numbers = {delivery.job_id for delivery in found}
    to_send = select(Job).where(Job.id.in_(numbers), Job.state.in_((JobState.SCORED, JobState.SENDING)))
    jobs = list(session.scalars(_locked(to_send.order_by(Job.id))))
    waiting = select(Delivery.job_id).where(Delivery.job_id.in_(numbers), Delivery.state != DeliveryState.ACCEPTED)
    unsent = set(session.scalars(waiting.distinct()))  # asked only now that the jobs are locked
    for job in jobs:
        job.state = JobState.SENDING
        if job.id not in unsent:
            job.state, job.finished_at = JobState.DONE, at


def _locked(query: _Query) -> _Query:
    """Return a query whose rows nobody else changes until the end, and are as they are now."""
    return query.with_for_update().execution_options(populate_existing=True)


def postpone_delivery(session: Session, delivery: int, owner: str, code: str, *, pause_seconds: float) -> None:
    """Enter that a destination has not taken an object, and when it is asked again."""
    found = session.get(Delivery, delivery, with_for_update=True)
    if found is None or found.lease_owner != owner or found.state != DeliveryState.WAITING:
        return
    found.attempts, found.reason = found.attempts + 1, code
    found.next_attempt_at = now() + timedelta(seconds=pause_seconds)
    found.lease_owner = found.lease_until = None
    job = session.get(Job, found.job_id, with_for_update=True)
    if job is not None and job.state == JobState.SCORED:
        job.state = JobState.SENDING


def _own_job(session: Session, job: int, owner: str) -> Job | None:
    found = session.get(Job, job, with_for_update=True)
    if found is None or found.state != JobState.SCORING or found.lease_owner != owner:
        return None
    found.lease_owner = found.lease_until = None
    return found
