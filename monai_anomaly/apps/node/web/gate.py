# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What holds of every request and answer: bounded bodies, no other site's forms, headers that keep pages apart."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monai_anomaly.apps.node.web.settings import is_loopback

__all__ = ["FORM_BYTES", "HEADERS", "Gate"]

FORM_BYTES = 16 << 10
"""Of a form."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # 'no-referrer' would make browsers send forms from nowhere
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_METHODS = ("GET", "HEAD", "POST")
_OWN_PAGES = ("same-origin", "none")


class Gate:
    """Stands before the application.

    Args:
        app: behind it.
        body_bytes: most bytes of a body, by how the path begins; others have :data:`FORM_BYTES`.
        streamed: how the paths begin whose bodies may come without their length: these count the bytes themselves.
        loopback_names_only: whether a request must call this machine by a loopback name, so that no page of another
            site can reach it under a name of its own (DNS rebinding).
    """

    def __init__(
        self, app: ASGIApp, *, body_bytes: Mapping[str, int], streamed: tuple[str, ...] = (), loopback_names_only: bool
    ) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._streamed = streamed
        self._loopback_names_only = loopback_names_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            status, text = refusal
            answer = PlainTextResponse(f"{text}\n", status_code=status, headers={"Connection": "close"})
            return await answer(scope, receive, send_with_headers)
        return await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _METHODS:
            return 405, "Only GET, HEAD and POST are answered."
        host = headers.get("host", "")
        if self._loopback_names_only and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return 421, "This node answers to its loopback address alone."
        if scope["method"] != "POST":
            return None
        if not _is_own_page(headers, host):
            return 403, "A page of another site sent this."
        length = headers.get("content-length", "")
        if not length and scope["path"].startswith(self._streamed):
            return None
        if "transfer-encoding" in headers or not (length.isascii() and length.isdigit() and len(length) < 16):
            return 411, "A body comes with its Content-Length."
        if int(length) > self._most(scope["path"]):
            return 413, f"At most {self._most(scope['path'])} bytes are taken."
        return None

    def _most(self, path: str) -> int:
        return next((most for start, most in self._body_bytes.items() if path.startswith(start)), FORM_BYTES)


def _is_own_page(headers: Headers, host: str) -> bool:
    """Return whether a browser says that one of our pages sends it; programs say nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_PAGES
    origin = headers.get("origin")  # of older browsers; a proxy has to leave Host as it is
    return origin is None or urlsplit(origin).netloc == host
