# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who is logged in, in this process alone: when it ends, everybody logs in again."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from monai_anomaly.apps.node.web.people.tokens import TokenEntry

__all__ = ["IDLE_SECONDS", "LONGEST_SECONDS", "Session", "Sessions"]

LONGEST_SECONDS = 12 * 3600.0
"""After which a person logs in again: a working day."""

IDLE_SECONDS = 2 * 3600.0
"""After which a session that nobody uses ends."""

_MOST = 1000


@dataclass
class Session:
    """A person's browser.

    Args:
        entry: who logged in.
        since: when.
        used: when it was used last.
        form_key: stands in each form, so that only our own pages can send one.
    """

    entry: TokenEntry
    since: float
    used: float
    form_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))


class Sessions:
    """Sessions by the hash of their cookie; may be used from several threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, entry: TokenEntry) -> str:
        """Begin one and return the cookie; the oldest ends when there are too many."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._sessions[_key(cookie)] = Session(entry, now, now)
            while len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None where there is none, or no more."""
        now = self._clock()
        with self._lock:
            session = self._sessions.get(_key(cookie))
            if session is None:
                return None
            if now - session.since > LONGEST_SECONDS or now - session.used > IDLE_SECONDS:
                del self._sessions[_key(cookie)]
                return None
            session.used = now
            return session

    def end(self, cookie: str) -> None:
        """End one."""
        with self._lock:
            self._sessions.pop(_key(cookie), None)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", errors="surrogatepass")).hexdigest()
