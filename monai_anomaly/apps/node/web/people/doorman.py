# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who sends a request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from starlette.requests import Request

from monai_anomaly.apps.node.web.people.failures import Failures
from monai_anomaly.apps.node.web.people.sessions import Sessions
from monai_anomaly.apps.node.web.people.tokens import TokenEntry, Tokens, is_name
from monai_anomaly.apps.node.web.settings import WebSettings

__all__ = ["COOKIE", "Doorman", "Person"]

COOKIE = "monai_anomaly_session"

_NOBODY_IN_PARTICULAR = "local"


@dataclass(frozen=True)
class Person:
    """Who sends a request.

    Args:
        name: as pages and the audit log have it.
        role: ``"reader"``, ``"admin"`` or ``"sender"``.
        form_key: what a form of theirs must hold; empty for a program with a token, which needs none.
        can_log_out: whether there is a session to end.
    """

    name: str
    role: str
    form_key: str
    can_log_out: bool = False


class Doorman:
    """Knows people by session, token or proxy.

    Args:
        settings: who may come in.

    Raises:
        ConfigError: when the tokens file cannot be read.
    """

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.sessions = Sessions()
        self.failures = Failures()
        self._tokens = None if settings.tokens_file is None else Tokens(settings.tokens_file)
        self._key = secrets.token_bytes(32)

    @property
    def has_login_page(self) -> bool:
        """Whether a token opens a session."""
        return self._tokens is not None

    def identify(self, request: Request) -> Person | None:
        """Return who sends a request; None for a stranger."""
        if not self.settings.login:
            return Person(_NOBODY_IN_PARTICULAR, "admin", self._form_key(_NOBODY_IN_PARTICULAR))
        return self._by_proxy(request) or self._by_token(request) or self._by_session(request)

    def identify_program(self, request: Request) -> Person | None:
        """Return whose token a request has; what a browser sends by itself, or a proxy says, is nobody's."""
        if not self.settings.login:
            return Person(_NOBODY_IN_PARTICULAR, "admin", "")
        return self._by_token(request)

    def log_in(self, request: Request, token: str) -> str | None:
        """Return the cookie of a new session; None for a wrong token, which is counted, or one of a sender."""
        entry = self._find(token)
        if entry is None or entry.role == "sender":
            self.failures.add(self.address(request))
            return None
        self.failures.forget(self.address(request))
        return self.sessions.begin(entry)

    def address(self, request: Request) -> str:
        """Return where a request comes from: what a trusted proxy says, else its peer."""
        peer = _peer(request)
        if peer in self.settings.trusted_proxies:
            said = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            return said[:64] or peer
        return peer

    def is_encrypted(self, request: Request) -> bool:
        """Return whether the person's browser speaks TLS; a trusted proxy that does not say so is taken to."""
        if _peer(request) in self.settings.trusted_proxies:
            return request.headers.get("x-forwarded-proto", "https") == "https"
        return request.url.scheme == "https"

    def is_own_form(self, person: Person, form_key: str) -> bool:
        """Return whether a form came from a page of this person's."""
        return bool(person.form_key) and hmac.compare_digest(person.form_key.encode(), form_key.encode())

    def _by_proxy(self, request: Request) -> Person | None:
        header = self.settings.proxy_header
        if header is None or _peer(request) not in self.settings.trusted_proxies:
            return None
        names = request.headers.getlist(header)
        if len(names) != 1 or not is_name(names[0]):
            return None
        role = "admin" if names[0] in self.settings.proxy_admins else "reader"
        return Person(names[0], role, self._form_key(names[0]))

    def _by_token(self, request: Request) -> Person | None:
        """Know a program; wrong tokens are counted as on the login page."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        address = self.address(request)
        if scheme.lower() != "bearer" or self.failures.wait(address):
            return None
        entry = self._find(token.strip())
        if entry is None:
            self.failures.add(address)
            return None
        return Person(entry.name, entry.role, "")

    def _by_session(self, request: Request) -> Person | None:
        session = self.sessions.find(request.cookies.get(COOKIE, ""))
        if session is None or self._tokens is None or not self._tokens.still(session.entry):
            return None
        return Person(session.entry.name, session.entry.role, session.form_key, can_log_out=True)

    def _find(self, token: str) -> TokenEntry | None:
        return None if self._tokens is None else self._tokens.find(token)

    def _form_key(self, name: str) -> str:
        """Return what stands in a form where there is no session to keep it."""
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()


def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""
