# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The worker: it takes what waits, scores it, writes the results whole, and enters them in one step."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import or_, select

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.leases import LEASE_SECONDS, release
from monai_anomaly.apps.node.database.queue import fail_job, finish_job, next_jobs, refuse_job
from monai_anomaly.apps.node.database.tables import Delivery, Instance, Job, JobState, now
from monai_anomaly.apps.node.delivery.pauses import pause_after
from monai_anomaly.apps.node.opening import open_database, owner_name
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector
from monai_anomaly.bundle.model_identity import model_identity
from monai_anomaly.dicom_results import DicomResultError, DicomResults, ResultObject
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.map_encoders import encode_png_map
from monai_anomaly.scoring.result import Result
from monai_anomaly.utils.atomic import atomic_write_all
from monai_anomaly.utils.heatmap import encode_image

__all__ = ["JobScorer", "run_worker"]

IDLE_SECONDS = 0.2

logger = logging.getLogger("monai_anomaly.node")


def run_worker(settings: NodeSettings, stopping: Stopping) -> None:
    """Score what is in the queue until it is told to stop; the image in work is finished first, its batch is not."""
    torch.set_num_threads(settings.workers.threads)
    database = open_database(settings)
    scorer = JobScorer(settings, database, owner_name())
    logger.info("worker: ready")
    while not stopping.is_asked():
        if scorer.score_some(stopping) == 0:
            stopping.wait(IDLE_SECONDS)
    database.close()


class JobScorer:
    """Scores jobs of one detector.

    Args:
        settings: of the node.
        database: of the node.
        owner: the name of its leases.

    Raises:
        CheckpointError, CalibrationError: as :func:`monai_anomaly.bundle.loading.load`.
    """

    def __init__(self, settings: NodeSettings, database: Database, owner: str) -> None:
        self._settings, self._database, self._owner = settings, database, owner
        self._detector = open_node_detector(settings)
        self._number = register_detector(database, self._detector)
        kinds = {kind for destination in settings.destinations for kind in destination.kinds} or {"sr", "sc", "seg"}
        self._objects = DicomResults(
            model_identity(self._detector.trained, self._detector.calibration, uid_root=settings.uid_root or ""),
            kinds=sorted(kinds),
        )

    def score_some(self, stopping: Stopping | None = None) -> int:
        """Score up to a batch of jobs and return how many there were; those that the end interrupts are put back."""
        if not self._is_any_due():
            return 0
        workers = self._settings.workers
        with self._database.begin() as session:
            jobs = next_jobs(
                session,
                self._number,
                self._owner,
                lease_seconds=LEASE_SECONDS,
                most=workers.batch,
                most_attempts=workers.attempts,
            )
            taken = [(job.id, job.attempts, session.get_one(Instance, job.instance_id).path) for job in jobs]
        self._score(taken, stopping)
        return len(taken)

    def _is_any_due(self) -> bool:
        """Look without the lock of a writer, which others need."""
        at = now()
        due = or_(
            (Job.state == JobState.QUEUED) & (Job.next_attempt_at <= at),
            (Job.state == JobState.SCORING) & (Job.lease_until < at),
        )
        return self._database.has_any(select(Job.id).where(Job.detector_id == self._number, due))

    def _score(self, taken: Sequence[tuple[int, int, str | None]], stopping: Stopping | None = None) -> None:
        there: list[tuple[int, int, Path]] = []
        for job, attempts, relative in taken:
            if relative is None:
                self._fail(job, attempts, "no_file", "The file is not in the spool any more; send it again.")
            else:
                there.append((job, attempts, self._settings.folder / relative))
        items = ({"image": str(path), "name": str(job)} for job, _, path in there)
        results = self._detector.score_items(takewhile(lambda _: stopping is None or not stopping.is_asked(), items))
        scored = 0
        for (job, attempts, path), result in zip(there, results, strict=False):
            scored += 1
            try:
                self._enter(job, attempts, path, result)
            except Exception as error:  # of one job: the others go on, and this one is tried again
                logger.error("worker: job %d failed (%s)", job, type(error).__name__)
                self._fail(job, attempts, "failed", f"Making the results failed ({type(error).__name__}).")
            if stopping is not None and stopping.is_asked():
                break
        if scored < len(there):
            with self._database.begin() as session:
                release(session, self._owner, attempt_counts=False)

    def _enter(self, job: int, attempts: int, path: Path, result: Result) -> None:
        if result.status == "failed":
            self._fail(job, attempts, result.code or "failed", result.reason or "")
            return
        values = _columns(result)
        if result.status == "rejected":
            with self._database.begin() as session:
                refuse_job(session, job, self._owner, result.code or "rejected", result.reason or "", values)
            return
        folder = f"results/{job // 1000}/{job}"
        (self._settings.folder / folder).mkdir(parents=True, exist_ok=True)
        made = self._write(folder, path, result, values)
        deliveries = [
            _delivery(job, each, folder, destination.name)
            for each in made
            for destination in self._settings.destinations
            if each.kind.removesuffix("_binary") in destination.kinds
        ]
        with self._database.begin() as session:
            if not finish_job(session, job, self._owner, {**values, "results": folder}, deliveries):
                logger.warning("worker: job %d was taken by another one meanwhile", job)

    def _write(self, folder: str, path: Path, result: Result, values: dict[str, Any]) -> tuple[ResultObject, ...]:
        """Write pictures and objects; another worker would write the same bytes."""
        picture, source_map = result.picture, result.map_on_source
        overlay = draw_overlay(picture, source_map, self._detector.map_range)
        files = {
            "picture.png": encode_image(picture),
            "map.png": encode_png_map(source_map, self._detector.map_range),
        }
        try:
            made = self._objects.make(path, result, source_map=source_map, overlay=overlay)
        except DicomResultError as error:  # the score stands, and the page says why nothing is sent
            values["code"], values["reason"] = error.code, str(error)
            made = ()
        files.update((f"{each.kind}.dcm", each.content) for each in made)
        atomic_write_all(self._settings.folder / folder, files)
        return made

    def _fail(self, job: int, attempts: int, code: str, reason: str) -> None:
        with self._database.begin() as session:
            fail_job(
                session,
                job,
                self._owner,
                code,
                reason,
                pause_seconds=pause_after(attempts),
                most_attempts=self._settings.workers.attempts,
            )


def _columns(result: Result) -> dict[str, Any]:
    """Return what a job's row keeps of a result."""
    rows, columns = result.source_shape or (None, None)
    return {
        "score": result.score,
        "p_value": result.p_value,
        "decision": result.decision,
        "decision_reason": result.decision_reason,
        "frame": result.frame,
        "device": result.device,
        "rows": rows,
        "columns": columns,
        "facts": None if result.facts is None else dict(result.facts),
        "record": result.record(),
        "code": None,
        "reason": None,
    }


def _delivery(job: int, made: ResultObject, folder: str, destination: str) -> Delivery:
    return Delivery(
        job_id=job,
        kind=made.kind,
        sop_class_uid=made.sop_class_uid,
        sop_instance_uid=made.sop_instance_uid,
        path=f"{folder}/{made.kind}.dcm",
        digest=hashlib.sha256(made.content).hexdigest(),
        destination=destination,
    )
