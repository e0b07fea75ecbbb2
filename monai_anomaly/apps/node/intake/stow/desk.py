# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the parts of a request are taken in, after all of it has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.intake.identity import Identity, read_identity
from monai_anomaly.apps.node.intake.stow.answer import Fate
from monai_anomaly.apps.node.intake.stow.related_parts import BodyError, Part, RelatedParts
from monai_anomaly.apps.node.intake.stow.settings import StowSettings
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError
from monai_anomaly.apps.node.spool import Spool

__all__ = ["StowDesk"]

logger = logging.getLogger("monai_anomaly.node")


class StowDesk:
    """Takes in what STOW-RS brings; may be called from many threads.

    Args:
        custody: takes the files.
        spool: where they come in.
        limits: of requests.
    """

    def __init__(self, custody: Custody, spool: Spool, limits: StowSettings) -> None:
        self.limits = limits
        self._custody, self._spool = custody, spool
        self._places = threading.BoundedSemaphore(limits.requests)

    @contextmanager
    def body(self, boundary: bytes) -> Iterator[RelatedParts]:
        """Give what takes a body's bytes; what is left of it at the end is removed.

        Args:
            boundary: between the body's parts.

        Raises:
            BodyError: 503 when too many requests come in at a time.
        """
        if not self._places.acquire(blocking=False):
            raise BodyError(503, "busy", f"{self.limits.requests} requests come in already; try again.")
        parts = RelatedParts(boundary, self._spool.incoming, self.limits, self._spool.require_room)
        try:
            yield parts
        finally:
            parts.discard()
            self._places.release()

    def take(self, parts: Sequence[Part], study: str | None, origin: str) -> list[Fate]:
        """Take custody of what has come.

        Args:
            parts: of the whole body.
            study: which all objects must be of; None lets each have its own.
            origin: ``stow:NAME``.
        """
        fates = [self._take_one(part, study, origin) for part in parts]
        for fate in fates:
            if fate.code is not None:
                self.refuse(fate.code)
        return fates

    def refuse(self, code: str) -> None:
        """Count what was refused."""
        self._custody.refuse("stow", code)

    def _take_one(self, part: Part, study: str | None, origin: str) -> Fate:
        identity: Identity | None = None
        try:
            if part.path is None:
                raise NotTakenError("wrong_type")
            identity = read_identity(part.path)
            if study is not None and identity.study_instance_uid != study:
                raise NotTakenError("wrong_study")
            self._custody.take(part.path, origin, identity)
        except (NoRoomError, OSError):
            return Fate(identity, "no_room")
        except NotTakenError as error:
            return Fate(identity, error.code)
        except Exception as error:  # custody's fault, not the sender's: it keeps its object and tries again
            logger.error("web: taking an object in failed (%s)", type(error).__name__)
            return Fate(identity, "failed")
        return Fate(identity)
