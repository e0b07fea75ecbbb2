# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The application: routes, their gate, and what a person sees of an error."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from importlib import resources

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

import monai_anomaly
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.gate import Gate
from monai_anomaly.apps.node.web.pages import page, style_sheet
from monai_anomaly.apps.node.web.routes import deciding, entry, machines, reading, storing

__all__ = ["make_app"]

FOR_PROGRAMS = ("/api/", "/dicom-web/", "/health", "/metrics")
"""How paths begin whose errors are JSON."""

logger = logging.getLogger("monai_anomaly.node")


def make_app(node: WebNode) -> FastAPI:
    """Return the application.

    Args:
        node: the node that it shows.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if node.scorer is not None:
            node.scorer.close()

    about = "Scores of one file, health and numbers of a node; for research, not for diagnosis."
    app = FastAPI(
        title="monai_anomaly node",
        version=monai_anomaly.__version__,
        description=about,
        docs_url=None,  # its pages would fetch a script from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.node = node
    for part in (entry, reading, deciding, machines, *([] if node.stow is None else [storing])):
        app.include_router(part.router)
    for name, kind, text in (
        ("style.css", "text/css", style_sheet),
        ("page.js", "text/javascript", partial(_packaged, "page.js")),
        ("icon.svg", "image/svg+xml", partial(_packaged, "icon.svg")),
    ):
        app.add_api_route(f"/static/{name}", _static(kind, text), include_in_schema=False)
    app.add_exception_handler(HTTPException, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_address)
    app.add_exception_handler(Exception, _answer_failure)
    body_bytes = {"/api/score": node.settings.score_max_bytes}
    streamed: tuple[str, ...] = ()
    if node.stow is not None:
        body_bytes[storing.STUDIES], streamed = node.stow.limits.max_request_bytes, (storing.STUDIES,)
    app.add_middleware(Gate, body_bytes=body_bytes, streamed=streamed, loopback_names_only=not node.settings.login)
    return app


def _static(kind: str, text: Callable[[], str]) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(text(), media_type=kind)

    return answer


def _packaged(name: str) -> str:
    return resources.files("monai_anomaly.apps.node.web").joinpath("static").joinpath(name).read_text(encoding="utf-8")


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(request, error.status_code, str(error.detail), dict(error.headers or {}))


async def _answer_bad_address(request: Request, error: Exception) -> Response:
    return _error(request, 400, "The address is none of ours.", {})


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Say that something failed, without what: its text may hold what must not be seen."""
    logger.error("a page failed: %s", type(error).__name__)
    return _error(request, 500, "The node failed to answer; its log says when.", {})


def _error(request: Request, status: int, text: str, headers: dict[str, str]) -> Response:
    if request.method == "POST":  # what is left of its body, which may have no end, is not waited for
        headers["Connection"] = "close"
    if request.url.path.startswith(FOR_PROGRAMS):
        return JSONResponse({"error": text}, status, headers)
    if status == 401:
        return RedirectResponse("/login", 303)
    title = HTTPStatus(status).phrase.capitalize()
    if text == HTTPStatus(status).phrase:  # of an address that no route has
        text = "There is no such page."
    answer = page(request, "error", status, title=title, text=text)
    answer.headers.update(headers)
    return answer
