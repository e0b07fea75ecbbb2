# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""DICOMweb's STOW-RS (PS3.18 10.5): objects come in over HTTP."""

from __future__ import annotations

from typing import Any

from anyio import fail_after
from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from monai_anomaly.apps.node.intake.identity import is_uid
from monai_anomaly.apps.node.intake.stow.answer import make_answer
from monai_anomaly.apps.node.intake.stow.desk import StowDesk
from monai_anomaly.apps.node.intake.stow.related_parts import BodyError, RelatedParts, read_boundary
from monai_anomaly.apps.node.intake.taking import NoRoomError
from monai_anomaly.apps.node.web.context import require_sender, web_node

__all__ = ["STUDIES", "router"]

STUDIES = "/dicom-web/studies"
RETRY_AFTER = {"Retry-After": "30"}

router = APIRouter()

_KIND = 'multipart/related; type="application/dicom"'
_SCHEMA: dict[str, Any] = {
    "requestBody": {"required": True, "content": {_KIND: {"schema": {"type": "string", "format": "binary"}}}}
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All objects are in custody.", "content": {"application/dicom+json": {}}},
    202: {"description": "Some are; the others are in the Failed SOP Sequence or the Other Failures Sequence."},
    400: {"description": "The body breaks off, or is not what its Content-Type says; nothing was taken."},
    401: {"description": "Nobody has the token, or there is none."},
    403: {"description": "The token is not one for sending."},
    408: {"description": "The body did not come in time; nothing was taken."},
    409: {"description": "No object was taken; the body says why."},
    413: {"description": "Too many bytes or objects; nothing was taken."},
    415: {"description": "The body is of another type."},
    503: {"description": "No room, or too many requests at a time; try again later."},
}


@router.post(STUDIES, summary="Store instances (STOW-RS)", openapi_extra=_SCHEMA, responses=_ANSWERS)
async def store(request: Request) -> Response:
    """Take DICOM objects into custody; they are scored later."""
    return await _store(request, None)


@router.post(
    STUDIES + "/{study}", summary="Store instances of a study (STOW-RS)", openapi_extra=_SCHEMA, responses=_ANSWERS
)
async def store_in_study(request: Request, study: str) -> Response:
    """Take DICOM objects into custody, those of this study alone; they are scored later."""
    if not is_uid(study):
        raise HTTPException(400, "The address names no Study Instance UID.")
    return await _store(request, study)


async def _store(request: Request, study: str | None) -> Response:
    person, desk = await run_in_threadpool(require_sender, request), web_node(request).stow
    if desk is None:
        raise HTTPException(404, "This node takes no objects here.")
    try:
        with desk.body(read_boundary(request.headers.get("content-type", ""))) as body:
            await _receive(request, body, desk)
            fates = await run_in_threadpool(desk.take, body.finish(), study, f"stow:{person.name}")
    except BodyError as error:
        await run_in_threadpool(desk.refuse, error.code)
        raise HTTPException(error.status, error.text, RETRY_AFTER if error.status == 503 else None) from None
    except (NoRoomError, OSError):
        await run_in_threadpool(desk.refuse, "no_room")
        raise HTTPException(503, "The node has no room; try again later.", RETRY_AFTER) from None
    status, answer = make_answer(fates)
    headers = RETRY_AFTER if status == 503 else None
    return Response(answer.to_json(), status, headers, media_type="application/dicom+json")


async def _receive(request: Request, body: RelatedParts, desk: StowDesk) -> None:
    """Read the body within its time; it is parsed and written aside of the loop that answers others.

    Raises:
        BodyError: as :meth:`.RelatedParts.write`, for a body that comes too slowly, or breaks off.
    """
    stream = aiter(request.stream())
    try:
        with fail_after(desk.limits.seconds):
            while True:
                with fail_after(desk.limits.idle_seconds):
                    piece = await anext(stream, None)
                if piece is None:
                    return
                await run_in_threadpool(body.write, piece)
    except TimeoutError:
        raise BodyError(408, "too_slow", "The body did not come in time.") from None
    except ClientDisconnect:
        raise BodyError(400, "broken_off", "The connection ended before the body.") from None
