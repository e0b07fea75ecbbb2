# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Logging in and out."""

from __future__ import annotations

import math

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monai_anomaly.apps.node.web.context import require_person, web_node
from monai_anomaly.apps.node.web.forms import own_form, read_form
from monai_anomaly.apps.node.web.pages import page
from monai_anomaly.apps.node.web.people.doorman import COOKIE
from monai_anomaly.apps.node.web.people.sessions import LONGEST_SECONDS

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request) -> Response:
    """Show where to log in."""
    return page(request, "login", problem="", has_tokens=web_node(request).doorman.has_login_page)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Begin a session for a token."""
    doorman = web_node(request).doorman
    wait = doorman.failures.wait(doorman.address(request))
    if wait:
        problem = f"Too many wrong tokens came from here; wait {max(1, math.ceil(wait / 60))} minutes."
        refusal = page(request, "login", 429, problem=problem, has_tokens=doorman.has_login_page)
        refusal.headers["Retry-After"] = str(math.ceil(wait))
        return refusal
    token = (await read_form(request)).get("token", "").strip()
    cookie = await run_in_threadpool(doorman.log_in, request, token)
    if cookie is None:
        problem = "Nobody has this token."
        return page(request, "login", 403, problem=problem, has_tokens=doorman.has_login_page)
    answer = RedirectResponse("/", 303)
    secure = doorman.is_encrypted(request)
    answer.set_cookie(
        COOKIE, cookie, max_age=int(LONGEST_SECONDS), httponly=True, samesite="strict", secure=secure, path="/"
    )
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """End the session."""
    await own_form(request, require_person(request))
    web_node(request).doorman.sessions.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer
