# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node's tables. Constraints hold what must never happen twice: an instance, its job, the delivery of a result."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

__all__ = [
    "SCHEMA_VERSION",
    "Base",
    "Delivery",
    "DeliveryState",
    "Detector",
    "Heartbeat",
    "Instance",
    "Job",
    "JobState",
    "Meta",
    "Refusal",
    "Verdict",
    "now",
]

SCHEMA_VERSION = "1"


def now() -> datetime:
    """Return the time, with its zone, UTC."""
    return datetime.now(timezone.utc)


class JobState:
    """What a job can be. ``done`` and ``refused`` are final; ``dead`` waits for a person."""

    QUEUED = "queued"
    SCORING = "scoring"
    SCORED = "scored"
    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"
    DEAD = "dead"


class DeliveryState:
    """What a delivery can be."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DEAD = "dead"


class Moment(TypeDecorator[datetime]):
    """A time with its zone; SQLite keeps none, so it is UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn it into UTC."""
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give it its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


def _leases(table: str) -> Index:
    """Return an index of the few rows that are held, which owners renew every few seconds."""
    held = text("lease_owner IS NOT NULL")
    return Index(f"{table}_leases", "lease_owner", sqlite_where=held, postgresql_where=held)


class Base(DeclarativeBase):
    """Of all tables."""

    type_annotation_map = {datetime: Moment, str: Text, dict[str, Any]: JSON}


class Meta(Base):
    """What is to be said of the database itself: ``schema``, its version."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Instance(Base):
    """A file that the node has taken custody of, once for each SOP instance UID.

    Attributes:
        digest: SHA-256 of the file.
        size: its bytes.
        path: in the node's folder; None since retention removed the file.
        origin: who brought it first: ``dimse:TITLE``, ``folder`` or ``stow:NAME``.
        copies: how often it came again.
        differing_copies: how often other bytes came under its UID; the first are kept.
    """

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    study_instance_uid: Mapped[str | None]
    series_instance_uid: Mapped[str | None]
    digest: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    path: Mapped[str | None]
    origin: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(default=now, index=True)
    copies: Mapped[int] = mapped_column(default=0)
    differing_copies: Mapped[int] = mapped_column(default=0)

    jobs: Mapped[list[Job]] = relationship(back_populates="instance", passive_deletes=True)


class Detector(Base):
    """A detector that has made results here: its weights and its calibration, with which decisions change.

    Attributes:
        weights: SHA-256 of the checkpoint's file.
        calibration: the calibration's digest; empty without one.
    """

    __tablename__ = "detectors"
    __table_args__ = (UniqueConstraint("weights", "calibration"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    weights: Mapped[str]
    calibration: Mapped[str]
    name: Mapped[str]
    version: Mapped[str]
    false_alarm_rate: Mapped[float | None]
    threshold: Mapped[float | None]
    map_range: Mapped[list[float]] = mapped_column(JSON)
    first_used_at: Mapped[datetime] = mapped_column(default=now)


class Job(Base):
    """The scoring of an instance by a detector: at most one each.

    Attributes:
        attempts: how often a worker has taken it.
        next_attempt_at: not before.
        lease_owner: the worker that has it.
        lease_until: until when; afterwards another may take it.
        code: short reason of a refusal or of the last failure.
        reason: the same as a sentence.
        device: keyed hash of the device that made the image.
        modality: of the standard's codes; None for what is none of them.
        record: the line of ``records.jsonl``, whole, without a path.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("instance_id", "detector_id"),
        Index("jobs_queue", "state", "next_attempt_at", "id"),
        Index("jobs_newest", "created_at"),
        _leases("jobs"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instances.id", ondelete="CASCADE"))
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id"))
    state: Mapped[str] = mapped_column(default=JobState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    scored_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    score: Mapped[float | None]
    p_value: Mapped[float | None]
    decision: Mapped[str | None]
    decision_reason: Mapped[str | None]
    frame: Mapped[int | None]
    device: Mapped[str | None]
    modality: Mapped[str | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    facts: Mapped[dict[str, Any] | None]
    record: Mapped[dict[str, Any] | None]
    results: Mapped[str | None]
    """Folder of the results in the node's folder; None before there are any, and since retention removed them."""

    instance: Mapped[Instance] = relationship(back_populates="jobs")
    detector: Mapped[Detector] = relationship()
    deliveries: Mapped[list[Delivery]] = relationship(back_populates="job", passive_deletes=True)
    verdicts: Mapped[list[Verdict]] = relationship(back_populates="job", order_by="Verdict.id")


class Delivery(Base):
    """A result object on its way to a destination: at most one each.

    Attributes:
        kind: ``sr``, ``sc``, ``seg`` or ``seg_binary``.
        path: of its file in the node's folder.
        digest: SHA-256 of the file.
        destination: a name of the configuration.
        reason: why the last attempt failed.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "destination"),
        Index("deliveries_queue", "state", "next_attempt_at", "id"),
        _leases("deliveries"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    path: Mapped[str]
    digest: Mapped[str]
    destination: Mapped[str]
    state: Mapped[str] = mapped_column(default=DeliveryState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    accepted_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    job: Mapped[Job] = relationship(back_populates="deliveries")


class Verdict(Base):
    """What a reader says of a result; never changed: the newest counts.

    Attributes:
        verdict: ``agree``, ``disagree`` or ``not_sure``.
        note: at most 500 characters.
    """

    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    reader: Mapped[str]
    verdict: Mapped[str]
    note: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now)

    job: Mapped[Job | None] = relationship(back_populates="verdicts")


class Refusal(Base):
    """What was refused at the door within an hour, counted, so that a hostile sender cannot fill the database.

    Attributes:
        hour: when, cut to the hour.
        origin: as of instances; of a sender that is not known ``dimse:unknown``.
        code: short reason.
        reason: the last one, as a sentence.
        number: how many.
    """

    __tablename__ = "refusals"
    __table_args__ = (UniqueConstraint("hour", "origin", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    hour: Mapped[datetime]
    origin: Mapped[str]
    code: Mapped[str]
    reason: Mapped[str]
    number: Mapped[int] = mapped_column(default=1)
    at: Mapped[datetime] = mapped_column(default=now)


class Heartbeat(Base):
    """What is known of a running part of the node; a part that was ended in order has none.

    Attributes:
        machine: that it runs on.
        part: ``receiver``, ``worker 0``, ``sender``, ``web``.
        started_at: when its process was started.
        at: when its process was heard of last.
        silent_seconds: how long it had done no step then; a process may live and hang.
        deaths: how often in a row it died young.
        is_dead: whether it died and was not yet started again.
    """

    __tablename__ = "heartbeats"

    machine: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(default=now)
    at: Mapped[datetime] = mapped_column(default=now)
    silent_seconds: Mapped[float] = mapped_column(default=0.0)
    deaths: Mapped[int] = mapped_column(default=0)
    is_dead: Mapped[bool] = mapped_column(default=False)
