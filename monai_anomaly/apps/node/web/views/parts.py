# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the node's parts live and get on with their work, by their signs of life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Heartbeat, now

__all__ = ["Kind", "read_kinds"]

LOST_SECONDS = 60.0
"""After so many missed signs of life a process is taken for dead; its leases have run out, too."""

HANGING_SECONDS = 600.0
"""A step that takes longer is a very long cine, or none that ends."""

MANY_DEATHS = 3
"""In a row: what dies once is started again within a second or two."""

KINDS = ("receiver", "worker", "sender")


@dataclass(frozen=True)
class Kind:
    """The parts of one kind on all machines.

    Args:
        name: of ``KINDS``.
        number: of them; 0 where none was started.
        problems: of each that is not well.
    """

    name: str
    number: int
    problems: Sequence[str]

    @property
    def is_down(self) -> bool:
        """Whether none of them does its work; images also come in without a receiver, but need a worker."""
        return len(self.problems) == self.number and (self.number > 0 or self.name == "worker")

    def __str__(self) -> str:
        """Return ``"ok"``, or what is wrong."""
        if self.number == 0 and self.name == "worker":
            return "no worker runs"
        return f"{len(self.problems)} of {self.number}: {'; '.join(self.problems)}" if self.problems else "ok"


def read_kinds(session: Session) -> list[Kind]:
    """Return the parts of each kind, without any machine's name: who asks for health may be a stranger."""
    at, rows = now(), session.scalars(select(Heartbeat).order_by(Heartbeat.machine, Heartbeat.part)).all()
    of_kind = {name: [row for row in rows if row.part.split()[0] == name] for name in KINDS}
    return [
        Kind(name, len(parts), [said for part in parts if (said := _problem(part, at))])
        for name, parts in of_kind.items()
    ]


def _problem(part: Heartbeat, at: datetime) -> str:
    """Return what is wrong with a part; nothing where it is well, or was started again."""
    unheard = (at - part.at).total_seconds()
    if part.deaths >= MANY_DEATHS:
        return f"died {part.deaths} times in a row"
    if unheard > LOST_SECONDS:
        return f"not heard of for {unheard:.0f} s"
    if part.silent_seconds > HANGING_SECONDS:
        return f"has done no step for {part.silent_seconds + unheard:.0f} s"
    return ""
