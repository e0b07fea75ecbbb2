# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Addresses for programs: health, metrics, and the score of a file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, HTTPException
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monai_anomaly.apps.node.web.context import require_person, web_node
from monai_anomaly.apps.node.web.scoring.scorer import ScoringBusyError, ScoringFailedError
from monai_anomaly.apps.node.web.scoring.uploads import TooLargeError, UnknownFormatError, received_file
from monai_anomaly.apps.node.web.views.health import check_health
from monai_anomaly.apps.node.web.views.metrics import node_metrics
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["router"]

router = APIRouter()

_TYPES = ("application/dicom", "image/png", "image/jpeg", "application/octet-stream")
_BODY = {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody has the token, or there is none."},
    411: {"description": "There is no Content-Length."},
    413: {"description": "The file is larger than the node takes."},
    415: {"description": "By its first bytes it is no DICOM, PNG, JPEG or NIfTI file."},
    422: {"description": "The reader refused the file; the record has a code and a reason."},
    503: {"description": "Others wait already, or there is no detector; try again later."},
    504: {"description": "No score in time."},
}


@router.get("/health", summary="Whether the node can take in, score and keep images")
def health(request: Request) -> JSONResponse:
    """Return what is wrong by the name of each check; 503 when images cannot be taken in or scored, else 200."""
    node = web_node(request)
    health = check_health(node.database, node.folder, node.limits)
    status = 503 if health.status == "failing" else 200
    return JSONResponse({"status": health.status, "checks": health.checks}, status)


@router.get("/metrics", summary="Numbers for Prometheus", dependencies=[Depends(require_person)])
def metrics(request: Request) -> Response:
    """Return the node's numbers in Prometheus' text format."""
    node = web_node(request)
    return Response(node_metrics(node.database, node.folder), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.post(
    "/api/score",
    summary="The record of one file",
    dependencies=[Depends(require_person)],
    openapi_extra={"requestBody": _BODY},
    responses=_PROBLEMS,
)
async def score(request: Request) -> JSONResponse:
    """Score the body, a DICOM, PNG, JPEG or NIfTI file, and return its record; nothing of it is stored or sent on."""
    node = web_node(request)
    if node.scorer is None:
        raise HTTPException(503, "This node scores no files that are handed in.")
    try:
        async with received_file(request, node.folder / "uploads", node.settings.score_max_bytes) as path:
            record = await run_in_threadpool(node.scorer.score, path)
    except TooLargeError:
        raise HTTPException(413, f"At most {node.settings.score_max_bytes} bytes are taken.") from None
    except UnknownFormatError:
        raise HTTPException(415, "This is no DICOM, PNG, JPEG or NIfTI file.") from None
    except (ScoringBusyError, ConfigError) as error:
        raise HTTPException(503, f"No score: {error}.") from None
    except ScoringFailedError as error:
        raise HTTPException(504, f"No score: {error}.") from None
    return JSONResponse(record, 200 if record["status"] == "scored" else 422)
