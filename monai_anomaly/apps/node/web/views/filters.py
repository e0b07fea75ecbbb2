# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which cases a worklist shows, as its address says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from urllib.parse import urlencode

__all__ = ["DECISIONS", "ORDERS", "STATES", "BadFilterError", "Filters", "day_bounds"]

STATES = {
    "waiting": ("queued", "scoring"),
    "scored": ("scored", "sending", "done"),
    "undelivered": ("scored", "sending"),
    "refused": ("refused",),
    "failed": ("dead",),
}
"""States of jobs by what a filter calls them."""

DECISIONS = ("anomalous", "normal", "not_applicable", "uncalibrated")

ORDERS = ("score", "newest", "oldest")

_LAST_PAGE = 100_000


class BadFilterError(ValueError):
    """An address with a value that no page of ours writes."""


@dataclass(frozen=True)
class Filters:
    """What a worklist is asked for; an empty text is no filter.

    Args:
        day: on which the node received the image, UTC, ``YYYY-MM-DD``.
        device: keyed hash.
        decision: of ``DECISIONS``.
        state: of :data:`STATES`.
        order: of ``ORDERS``.
        page: from 1 on.
    """

    day: str = ""
    device: str = ""
    decision: str = ""
    state: str = ""
    order: str = "score"
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Filters:
        """Read them from an address; what is not there is no filter.

        Raises:
            BadFilterError: for a value that makes no sense.
        """
        day, device, decision, state = (query.get(key, "") for key in ("day", "device", "decision", "state"))
        filters = cls(day=day, device=device, decision=decision, state=state)
        order, page = query.get("order") or "score", query.get("page") or "1"
        if filters.day:
            day_bounds(filters.day)
        if filters.decision not in ("", *DECISIONS) or filters.state not in ("", *STATES) or order not in ORDERS:
            raise BadFilterError("decision, state or order is none that there is.")
        device_fits = len(filters.device) <= 64 and "\0" not in filters.device  # PostgreSQL has no text with a zero
        if not device_fits or not (page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= _LAST_PAGE):
            raise BadFilterError("device or page makes no sense.")
        return replace(filters, order=order, page=int(page))

    @property
    def is_narrow(self) -> bool:
        """Whether anything is left out."""
        return bool(self.day or self.device or self.decision or self.state)

    def query(self, **changes: str | int) -> str:
        """Return the part of an address after ``?`` with some of them changed, without what says nothing."""
        silent = (("order", "score"), ("page", 1))
        values = {**asdict(self), **changes}
        return urlencode({key: value for key, value in values.items() if value != "" and (key, value) not in silent})


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """Return when a day begins and ends, UTC.

    Raises:
        BadFilterError: when it is none.
    """
    try:
        begin = datetime.combine(date.fromisoformat(day), time(), tzinfo=timezone.utc)
        return begin, begin + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadFilterError("a day is written as YYYY-MM-DD.") from None
