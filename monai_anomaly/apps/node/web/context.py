# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the routes need of the node."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import HTTPException
from fastapi import Path as InPath
from starlette.requests import Request

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.intake.stow.desk import StowDesk
from monai_anomaly.apps.node.web.people.doorman import Doorman, Person
from monai_anomaly.apps.node.web.scoring.scorer import Scorer
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.apps.node.web.views.drift import DriftCheck
from monai_anomaly.apps.node.web.views.health import Limits

__all__ = ["Audit", "CaseNumber", "WebNode", "require_admin", "require_person", "require_sender", "web_node"]

CaseNumber = Annotated[int, InPath(ge=1, le=2**31 - 1)]
"""Of an address; a larger one is no number of PostgreSQL's, nor, past 2^63, of SQLite's."""

_MOST_THUMBNAILS = 2000
_BEARER = {"WWW-Authenticate": "Bearer"}


class Audit(Protocol):
    """The audit log, as far as pages write to it."""

    def append(self, event: str, **content: object) -> None:
        """Add a line; it is on the disk when this returns."""


@dataclass
class WebNode:
    """A node, as its pages see it.

    Args:
        database: its database.
        folder: its folder, in which the paths of the database are.
        settings: of the pages.
        limits: of disk and queue.
        scorer: of ``POST /api/score``; None without one.
        audit: of verdicts; None keeps none.
        calibration_records: to compare the last days with.
        stow: takes in what STOW-RS brings; None takes nothing.
    """

    database: Database
    folder: Path
    settings: WebSettings
    limits: Limits = field(default_factory=Limits)
    scorer: Scorer | None = None
    audit: Audit | None = None
    calibration_records: Path | None = None
    stow: StowDesk | None = None

    def __post_init__(self) -> None:
        """Make what lives as long as the process."""
        self.doorman = Doorman(self.settings)
        self.drift = DriftCheck(self.calibration_records)
        self.thumbnails = Thumbnails()


class Thumbnails:
    """The small pictures that were made last, in bounded memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def of(self, path: Path, make: Callable[[Path], bytes]) -> bytes:
        """Return one, made when it is not kept.

        Raises:
            OSError: when the picture cannot be read.
        """
        key = str(path), path.stat().st_mtime_ns
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make(path)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _MOST_THUMBNAILS:
                self._kept.popitem(last=False)
        return made


def web_node(request: Request) -> WebNode:
    """Return the node of a request."""
    node: WebNode = request.app.state.node
    return node


def require_person(request: Request) -> Person:
    """Return who sends a request.

    Raises:
        HTTPException: 401 for a stranger, 403 for a sender of images.
    """
    person = web_node(request).doorman.identify(request)
    if person is None:
        raise HTTPException(401, "Log in first.", headers=_BEARER)
    if person.role == "sender":
        raise HTTPException(403, "This token sends images, and nothing else.")
    request.state.person = person
    return person


def require_sender(request: Request) -> Person:
    """Return who sends a request, if a program that may bring images.

    Raises:
        HTTPException: 401 without a token, 403 for a reader's.
    """
    person = web_node(request).doorman.identify_program(request)
    if person is None:
        raise HTTPException(401, "Show a token.", headers=_BEARER)
    if person.role not in ("sender", "admin"):
        raise HTTPException(403, "This takes the role sender.")
    return person


def require_admin(request: Request) -> Person:
    """Return who sends a request, if an admin.

    Raises:
        HTTPException: 401 for a stranger, 403 for a reader.
    """
    person = require_person(request)
    if person.role != "admin":
        raise HTTPException(403, "This takes the role admin.")
    return person
