# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is removed, and when: never before every destination has accepted the results."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Instance, Job, JobState, now
from monai_anomaly.apps.node.spool import Spool

__all__ = ["remove_old"]

FINAL = (JobState.DONE, JobState.REFUSED)
MOST = 1000


def remove_old(settings: NodeSettings, database: Database, spool: Spool) -> tuple[int, int]:
    """Remove received files and results that are old enough and settled; their rows stay.

    A job that is not at its end, or was given up, keeps its file: a person may want it again.

    Returns:
        How many received files and how many folders of results went, at most 1000 of each.
    """
    return _remove_results(settings, database), _remove_files(settings, database, spool)


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
