# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a node holds at a moment, of all that could gather, and whether it has grown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from measurements.node.memory import resident
from measurements.node.node import Node

__all__ = ["HEADINGS", "Holdings", "growth", "look"]

PARTS = ("supervisor", "receiver", "forker", "worker", "decoder", "sender", "web")
MEMORY_SHARE, MEMORY_MIB, FEW = 0.10, 16.0, 8
"""What is no growth: of a part's memory a tenth and 16 MiB, and eight files or threads."""


@dataclass(frozen=True)
class Holdings:
    """What a node holds.

    Args:
        sent: instances so far.
        done: jobs at their ends.
        waiting: jobs that are not scored.
        unsent: jobs whose results are not all in the PACS.
        memory: resident MiB of each part.
        files: open in all processes.
        threads: of all processes.
        temporary: files that objects are received in.
        database: MiB.
        seconds: since the start.
    """

    sent: int
    done: int
    waiting: int
    unsent: int
    memory: dict[str, float]
    files: int
    threads: int
    temporary: int
    database: float
    seconds: float

    def row(self) -> str:
        """Return it as a row of a table with :data:`HEADINGS`."""
        memory = [f"{self.memory[part]:.0f}" if part in self.memory else "" for part in PARTS]
        counts = (self.files, self.threads, self.temporary, f"{self.database:.1f}", f"{self.seconds:.0f}")
        return f"| {' | '.join(map(str, (self.sent, self.done, self.waiting, self.unsent, *memory, *counts)))} |"


_NAMES = (
    "sent",
    "done",
    "waiting",
    "unsent",
    *(f"{part}, MiB" for part in PARTS),
    "open files",
    "threads",
    "temporary files",
)
HEADINGS = f"| {' | '.join((*_NAMES, 'database, MiB', 's'))} |\n{'|---' * (len(_NAMES) + 2)}|"
"""Two lines over rows of holdings."""


def look(node: Node, sent: int, seconds: float) -> Holdings:
    """Look at a node that runs."""
    parts, states = node.parts(), node.states()
    every = [pid for pids in parts.values() for pid in pids]
    return Holdings(
        sent=sent,
        done=node.ended(),
        waiting=states["queued"] + states["scoring"],
        unsent=states["scored"] + states["sending"],
        memory={part: sum(map(resident, parts[part])) for part in PARTS if part in parts},
        files=sum(_entries(pid, "fd") for pid in every),
        threads=sum(_entries(pid, "task") for pid in every),
        temporary=sum(1 for _ in (node.folder / "kept" / "spool" / "incoming").iterdir()),
        database=node.database_size() / 2**20,
        seconds=seconds,
    )


def growth(looks: Sequence[Holdings]) -> list[str]:
    """Return what has grown from the middle third of the looks to the last; the first one warms up.

    The database is not among it: it has rows for each instance.
    """
    third = len(looks) // 3
    if third < 3:
        return []
    middle, last = looks[third : 2 * third], looks[2 * third :]

    def means(value: Callable[[Holdings], float]) -> tuple[float, float]:
        return mean(map(value, middle)), mean(map(value, last))

    grown = []
    for part in PARTS:
        before, after = means(lambda each, part=part: each.memory.get(part, 0.0))  # type: ignore[misc]
        if after > before * (1 + MEMORY_SHARE) + MEMORY_MIB:
            grown.append(f"memory of the {part} from {before:.0f} to {after:.0f} MiB")
    for name in ("files", "threads", "temporary"):
        before, after = means(lambda each, name=name: getattr(each, name))  # type: ignore[misc]
        if after > before + FEW:
            grown.append(f"{name} from {before:.0f} to {after:.0f}")
    return grown


def _entries(pid: int, of: str) -> int:
    try:
        return sum(1 for _ in Path("/proc", str(pid), of).iterdir())
    except OSError:  # it has ended
        return 0
