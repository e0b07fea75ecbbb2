# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pages to look at: worklist, cases with their pictures, numbers of a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from monai_anomaly.apps.node.database.tables import DeliveryState, Job, now
from monai_anomaly.apps.node.web.context import CaseNumber, WebNode, require_person, web_node
from monai_anomaly.apps.node.web.pages import page
from monai_anomaly.apps.node.web.people.doorman import Person
from monai_anomaly.apps.node.web.views.case import (
    PICTURES,
    Case,
    picture_path,
    read_case,
    read_patient,
    shown_map,
    thumbnail,
)
from monai_anomaly.apps.node.web.views.drift import DAYS, FALSE_ALARMS
from monai_anomaly.apps.node.web.views.filters import DECISIONS, ORDERS, STATES, BadFilterError, Filters, day_bounds
from monai_anomaly.apps.node.web.views.numbers import read_numbers, read_waiting
from monai_anomaly.apps.node.web.views.worklist import count_states, find_neighbors, read_promise, read_worklist
from monai_anomaly.data.errors import ImageReadError

__all__ = ["router", "show_case"]

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_person)])

LocalPerson = Annotated[Person, Depends(require_person)]

_MOST_PLACES = 10_000_000
_NO_RECORD = {"frames": None, "threshold": None, "false_alarm_rate": None, "warnings": None}


@router.get("/")
def worklist(request: Request) -> Response:
    """Show a page of the worklist."""
    filters = parsed_filters(request)
    with web_node(request).database.read() as session:
        found, counts, promise = read_worklist(session, filters), count_states(session), read_promise(session)
    choices = {"decisions": DECISIONS, "states": tuple(STATES), "orders": ORDERS, "today": f"{now():%Y-%m-%d}"}
    return page(request, "worklist", filters=filters, found=found, counts=counts, choices=choices, promise=promise)


@router.get("/case/{number}")
def case(request: Request, number: CaseNumber, person: LocalPerson) -> Response:
    """Show a case."""
    return show_case(request, number, person)


def show_case(
    request: Request, number: int, person: Person, status: int = 200, problem: str = "", note: str = ""
) -> Response:
    """Return the page of a case.

    Args:
        request: whose address says where in which list the case is.
        number: of the case.
        person: who looks.
        status: of HTTP.
        problem: what was wrong with the form that was sent; empty for nothing.
        note: that was written in it.
    """
    node, filters = web_node(request), parsed_filters(request)
    place = request.query_params.get("at", "")
    at = int(place) if place.isascii() and place.isdigit() and int(place[:9]) < _MOST_PLACES else None
    with node.database.read() as session:
        found = read_case(session, number, node.folder)
        before, after = (None, None) if at is None else find_neighbors(session, filters, at)
    if found is None:
        raise HTTPException(404, "There is no such case; retention may have removed it.")
    patient, trouble = _patient(node, found)
    values: dict[str, Any] = {
        "at": at,
        "before": before,
        "after": after,
        "here": filters.query(at="" if at is None else at),
        "patient": patient,
        "trouble": trouble,
        "record": _NO_RECORD | (found.job.record or {}),
        "given_up": any(each.state == DeliveryState.DEAD for each in found.job.deliveries),
        "problem": problem,
        "note": note,
    }
    return page(request, "case", status, case=found, job=found.job, filters=filters, **values)


@router.get("/case/{number}/thumbnail.png")
def small_picture(request: Request, number: CaseNumber) -> Response:
    """Show a case's picture with the map over it, small."""
    node = web_node(request)
    return _drawn(node, number, "picture", lambda path: node.thumbnails.of(path, thumbnail))


@router.get("/case/{number}/{name}.png")
def picture(request: Request, number: CaseNumber, name: str) -> Response:
    """Show a case's picture or map."""
    if name == "map":
        return _drawn(web_node(request), number, name, shown_map)
    return FileResponse(_picture(web_node(request), number, name), media_type="image/png")


@router.get("/numbers")
def numbers(request: Request) -> Response:
    """Show the numbers of a day."""
    day = request.query_params.get("day") or f"{now():%Y-%m-%d}"
    try:
        day_bounds(day)
    except BadFilterError as error:
        raise HTTPException(400, str(error)) from None
    node = web_node(request)
    with node.database.read() as session:
        found, waiting, drift = read_numbers(session, day), read_waiting(session), node.drift.look(session)
    values: dict[str, Any] = {"day": day, "found": found, "waiting": waiting, "drift": drift}
    return page(request, "numbers", **values, drift_days=DAYS, drift_rate=FALSE_ALARMS)


def parsed_filters(request: Request) -> Filters:
    """Return the filters of an address.

    Raises:
        HTTPException: 400 for a value that makes no sense.
    """
    try:
        return Filters.parse(request.query_params)
    except BadFilterError as error:
        raise HTTPException(400, f"The address is none of ours: {error}") from None


def _picture(node: WebNode, number: int, name: str) -> Path:
    with node.database.read() as session:
        job = session.get(Job, number)
    path = None if job is None or name not in PICTURES else picture_path(node.folder, job.results, name)
    if path is None:
        raise HTTPException(404, "There is no such picture.")
    return path


def _drawn(node: WebNode, number: int, name: str, draw: Callable[[Path], bytes]) -> Response:
    """Return what is drawn of a picture's file."""
    try:
        return Response(draw(_picture(node, number, name)), media_type="image/png")
    except OSError:
        raise HTTPException(404, "There is no such picture.") from None


def _patient(node: WebNode, found: Case) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return what the stored file says of the patient, if that is switched on, or why it cannot be said."""
    if not node.settings.show_patient:
        return (), ""
    if found.job.instance.path is None:
        return (), "The stored file was removed by retention."
    try:
        return read_patient(node.folder / found.job.instance.path), ""
    except (ImageReadError, OSError):
        return (), "The header of the stored file cannot be read."
