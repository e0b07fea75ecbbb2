# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is removed, and when: never before every destination has accepted the results."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, or_, select

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.heartbeats import forget_old
from monai_anomaly.apps.node.database.tables import Delivery, Instance, Job, JobState, Refusal, Verdict, now
from monai_anomaly.apps.node.spool import Spool

__all__ = ["Removed", "remove_old"]

FINAL = (JobState.DONE, JobState.REFUSED)
MOST = 100
"""Of each kind at once: who asks for the end waits for one round, and so do others for the database."""


class Removed(NamedTuple):
    """How many went: folders of results, received files, and instances with all that was known of them."""

    results: int
    files: int
    records: int


def remove_old(settings: NodeSettings, database: Database, spool: Spool) -> Removed:
    """Remove files, results and rows that are old enough and settled, up to 100 of each.

    A job that is not at its end, or was given up, keeps its file and its rows: a person may want it again. Rows stay as
    long as there are files of them.
    """
    removed = Removed(
        _remove_results(settings, database), _remove_files(settings, database, spool), _remove_rows(settings, database)
    )
    if removed.records:
        database.shrink()
    return removed


def _remove_files(settings: NodeSettings, database: Database, spool: Spool) -> int:
    before = now() - timedelta(days=settings.retention.spool_days)
    open_jobs = select(Job.id).where(Job.instance_id == Instance.id, Job.state.not_in(FINAL))
    old = (Instance.path.is_not(None), Instance.received_at < before, ~open_jobs.exists())
    with database.begin() as session:
        found = list(session.scalars(select(Instance).where(*old).limit(MOST).with_for_update(skip_locked=True)))
        for instance in found:
            spool.remove(instance.path or "")
            instance.path = None
        return len(found)


def _remove_results(settings: NodeSettings, database: Database) -> int:
    before = now() - timedelta(days=settings.retention.results_days)
    old = (Job.results.is_not(None), Job.state == JobState.DONE, Job.finished_at < before)
    with database.begin() as session:
        found = list(session.scalars(select(Job).where(*old).limit(MOST).with_for_update(skip_locked=True)))
        for job in found:
            shutil.rmtree(settings.folder / (job.results or ""), ignore_errors=True)
            job.results = None
        return len(found)


def _remove_rows(settings: NodeSettings, database: Database) -> int:
    """Remove instances with their jobs, deliveries and verdicts; verdicts are in the audit log, too."""
    before = now() - timedelta(days=settings.retention.records_days)
    needed = or_(Job.state.not_in(FINAL), Job.finished_at >= before, Job.results.is_not(None))
    in_use = select(Job.id).where(Job.instance_id == Instance.id, needed)
    old = (Instance.received_at < before, Instance.path.is_(None), ~in_use.exists())
    with database.begin() as session:
        query = select(Instance.id).where(*old).order_by(Instance.id).limit(MOST).with_for_update(skip_locked=True)
        found = list(session.scalars(query))
        jobs = select(Job.id).where(Job.instance_id.in_(found)).scalar_subquery()
        for kind in (Verdict, Delivery):
            session.execute(delete(kind).where(kind.job_id.in_(jobs)))
        session.execute(delete(Job).where(Job.instance_id.in_(found)))
        session.execute(delete(Instance).where(Instance.id.in_(found)))
        session.execute(delete(Refusal).where(Refusal.hour < before))
        forget_old(session)
        return len(found)
