# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What people do: verdicts, and, for admins, another try of what failed."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import APIRouter, HTTPException
from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monai_anomaly.apps.node.database.queue import revive
from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Job, Verdict, now
from monai_anomaly.apps.node.web.context import CaseNumber, WebNode, require_admin, require_person, web_node
from monai_anomaly.apps.node.web.forms import own_form
from monai_anomaly.apps.node.web.routes.reading import parsed_filters, show_case

__all__ = ["LONGEST_NOTE", "VERDICTS", "router"]

VERDICTS = ("agree", "disagree", "not_sure")

LONGEST_NOTE = 500

router = APIRouter(include_in_schema=False)


@router.post("/case/{number}/verdict")
async def give_verdict(request: Request, number: CaseNumber) -> Response:
    """Store what a reader says of a result, after the audit log has it."""
    person = require_person(request)
    form = await own_form(request, person)
    verdict, note = form.get("verdict", ""), form.get("note", "").replace("\r\n", "\n").strip()
    problem = ""
    if verdict not in VERDICTS:
        problem = "Choose one of the three: agree, disagree, not sure."
    elif len(note) > LONGEST_NOTE:
        problem = f"The note has {len(note)} characters; at most {LONGEST_NOTE} are kept."
    elif "\0" in note:
        problem = "The note has a character that cannot be kept."
    if problem:
        return await run_in_threadpool(show_case, request, number, person, 422, problem, note[: 2 * LONGEST_NOTE])
    await run_in_threadpool(_store, web_node(request), number, person.name, verdict, note)
    return _back(request, number, "#verdict")


@router.post("/case/{number}/again")
async def try_again(request: Request, number: CaseNumber) -> Response:
    """Put a failed job, and its deliveries that were given up, back into the queue."""
    person = require_admin(request)
    await own_form(request, person)
    await run_in_threadpool(_revive, web_node(request), number, person.name)
    return _back(request, number, "")


def _back(request: Request, number: int, fragment: str) -> Response:
    """Return to the case, as it was reached."""
    query = parsed_filters(request).query()
    place = request.query_params.get("at", "")
    if place.isascii() and place.isdigit():
        query += f"{'&' if query else ''}at={place[:9]}"
    return RedirectResponse(f"/case/{number}{'?' if query else ''}{query}{fragment}", 303)


def _store(node: WebNode, number: int, reader: str, verdict: str, note: str) -> None:
    with node.database.read() as session:
        job = _job(session, number)
        about = {"job": number, "reader": reader, **_identity(job)}
    if job.score is None:
        raise HTTPException(409, "There is no result yet on which to give a verdict.")
    if node.audit is not None:  # of the note only a digest: a reader may have written a name into it
        digest = hashlib.sha256(note.encode()).hexdigest() if note else None
        node.audit.append("verdict", verdict=verdict, note_sha256=digest, **about)
    with node.database.begin() as session:
        session.add(Verdict(job_id=number, reader=reader, verdict=verdict, note=note or None))


def _identity(job: Job) -> dict[str, Any]:
    """Say which result it is, as the audit log's lines of results do."""
    detector = job.detector
    return {
        "input_digest": (job.record or {}).get("input_digest"),
        "weights": detector.weights,
        "calibration": detector.calibration,
        "score": job.score,
        "decision": job.decision,
    }


def _revive(node: WebNode, number: int, name: str) -> None:
    with node.database.read() as session:
        _job(session, number)
    if node.audit is not None:
        node.audit.append("again", job=number, reader=name)
    fresh = {"attempts": 0, "next_attempt_at": now(), "lease_owner": None, "lease_until": None}
    with node.database.begin() as session:
        revive(session, number)
        given_up = (Delivery.job_id == number, Delivery.state == DeliveryState.DEAD)
        session.execute(update(Delivery).where(*given_up).values(state=DeliveryState.WAITING, **fresh))


def _job(session: Session, number: int) -> Job:
    job = session.get(Job, number)
    if job is None:
        raise HTTPException(404, "There is no such case; retention may have removed it.")
    return job
