# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How the node takes custody of a file: its bytes on the disk, then its rows in the database, then the answer."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timezone
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Instance, Job, JobState, Refusal, now
from monai_anomaly.apps.node.intake.identity import Identity, read_identity
from monai_anomaly.apps.node.intake.storage import STORAGE_CLASSES
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError
from monai_anomaly.apps.node.spool import Spool, Spooled

__all__ = ["Custody"]


class Custody:
    """Takes files in; a :class:`~monai_anomaly.apps.node.intake.taking.Taker`. May be called from many threads.

    A file whose SOP instance UID is there already is a copy: it is counted, and the first one is kept and scored.

    Args:
        database: of the node.
        spool: of the node.
        detector: number of the detector whose jobs are made.
        max_waiting: files that may wait for their score.
    """

    def __init__(self, database: Database, spool: Spool, detector: int, max_waiting: int = 100_000) -> None:
        self._database = database
        self._spool = spool
        self._detector = detector
        self._max_waiting = max_waiting

    def __call__(self, path: Path, origin: str, sop_instance_uid: str | None) -> None:
        """Take a Part 10 file.

        Args:
            path: in the spool's folder ``incoming``; it is moved away.
            origin: ``dimse:TITLE``, ``folder`` or ``stow:NAME``.
            sop_instance_uid: what the sender says that it is; None if the sender says nothing.

        Raises:
            NoRoomError: when disk or queue are full; the sender tries again.
            NotTakenError: for what is never taken in as it is.
        """
        self.take(path, origin, read_identity(path, sop_instance_uid))

    def take(self, path: Path, origin: str, identity: Identity) -> None:
        """Take a file whose identity was read already; as calling does."""
        if identity.sop_class_uid not in STORAGE_CLASSES:
            raise NotTakenError("wrong_class")
        with self._database.read() as session:
            waiting = session.scalar(select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED)) or 0
        if waiting >= self._max_waiting:
            raise NoRoomError
        spooled = self._spool.commit(path)
        try:
            self._enter(identity, spooled, origin)
        except IntegrityError:  # another thread brought the same instance in the same moment: now it is a copy
            self._enter(identity, spooled, origin)

    def refuse(self, origin: str, code: str, number: int = 1) -> None:
        """Count what was refused at the door, by the hour, so that a hostile sender cannot fill the database."""
        try:
            self._count_refusals(origin, code, number)
        except IntegrityError:  # another thread entered the hour's first one in the same moment
            self._count_refusals(origin, code, number)

    def _count_refusals(self, origin: str, code: str, number: int) -> None:
        at = now()
        hour = at.astimezone(timezone.utc).replace(minute=0, second=0, microsecond=0)
        with self._database.begin() as session:
            where = (Refusal.hour == hour, Refusal.origin == origin, Refusal.code == code)
            known = session.scalar(select(Refusal).where(*where).with_for_update())
            if known is None:
                session.add(Refusal(hour=hour, origin=origin, code=code, reason="", number=number, at=at))
            else:
                known.number, known.at = known.number + number, at

    def _enter(self, identity: Identity, spooled: Spooled, origin: str) -> None:
        uids = asdict(identity)
        modality, uid = uids.pop("modality"), identity.sop_instance_uid
        with self._database.begin() as session:
            instance = session.scalar(select(Instance).where(Instance.sop_instance_uid == uid).with_for_update())
            if not self._spool.path(spooled.path).is_file():  # retention removed it meanwhile: the sender tries again
                raise NoRoomError
            if instance is None:
                file = {"digest": spooled.digest, "size": spooled.size, "path": spooled.path}
                instance = Instance(**uids, **file, origin=origin)
                session.add(instance)
                session.flush()
            else:
                self._count_copy(session, instance, spooled)
            self._add_job(session, instance, modality)

    def _count_copy(self, session: Session, instance: Instance, spooled: Spooled) -> None:
        """Keep the first file: what was scored and what is shown must stay what it was."""
        if spooled.digest == instance.digest:
            instance.copies += 1
            if instance.path is None:  # retention had removed it; the bytes are the same
                instance.path = spooled.path
            return
        instance.differing_copies += 1
        used = session.scalar(select(Instance.id).where(Instance.digest == spooled.digest).limit(1))
        if spooled.is_new and used is None:
            self._spool.remove(spooled.path)

    def _add_job(self, session: Session, instance: Instance, modality: str | None) -> None:
        """Make the job of the detector that runs now, once; one whose file retention has removed stays as it is."""
        known = session.scalar(select(Job.id).where(Job.instance_id == instance.id, Job.detector_id == self._detector))
        if known is None and instance.path is not None:
            session.add(Job(instance_id=instance.id, detector_id=self._detector, modality=modality))
