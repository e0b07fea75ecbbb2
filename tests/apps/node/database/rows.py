# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Rows for tests."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.queue import known_detector
from monai_anomaly.apps.node.database.tables import Delivery, Instance, Job

FACTS: dict[str, Any] = {
    "name": "SEPIAD",
    "version": "1",
    "false_alarm_rate": 0.1,
    "threshold": 2.0,
    "map_range": [0.0, 1.0],
}


def add_detector(database: Database, weights: str = "w") -> int:
    with database.begin() as session:
        return known_detector(session, weights=weights, calibration="c", **FACTS)


def add_job(database: Database, detector: int, instance: str | None = None, **values: Any) -> int:
    """Add a job, and its instance where there is none; return the job's number."""
    uid = instance or f"2.25.{uuid.uuid4().int}"
    with database.begin() as session:
        found = session.scalar(select(Instance).where(Instance.sop_instance_uid == uid))
        if found is None:
            found = Instance(
                sop_instance_uid=uid, sop_class_uid="1.2.3", digest=uid, size=1, path=f"spool/{uid}", origin="folder"
            )
        job = Job(instance=found, detector_id=detector, **values)
        session.add(job)
        session.flush()
        return job.id


def delivery(job: int, kind: str = "sr", destination: str = "pacs") -> Delivery:
    return Delivery(
        job_id=job,
        kind=kind,
        sop_class_uid="1.2.3",
        sop_instance_uid=f"2.25.{job}.{kind}",
        path=f"results/{job}/{kind}.dcm",
        digest="d",
        destination=destination,
    )


def job_of(database: Database, number: int) -> Job:
    with database.read() as session:
        return session.get_one(Job, number)
