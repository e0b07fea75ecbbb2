# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The most memory that the processes of a session have taken, also of those that have ended since."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

__all__ = ["MemoryWatch", "live", "processes", "processor_seconds", "resident"]


class MemoryWatch:
    """Look at the processes of a session from time to time, for the length of a ``with``.

    Args:
        session: the number of its first process.
        seconds: between two looks.

    Attributes:
        peaks: MiB that each process has held at most, by its number.
        resident: MiB that all of them held together at the last look.
        most: MiB that all of them held together at most.
    """

    def __init__(self, session: int, seconds: float = 0.5) -> None:
        self.session, self.seconds = session, seconds
        self.peaks: dict[int, float] = {}
        self.resident = self.most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak(self) -> float:
        """MiB that the largest process has held."""
        return max(self.peaks.values(), default=0.0)

    def _watch(self) -> None:
        while not self._ended.wait(self.seconds):
            together = 0.0
            for pid in processes(self.session):
                peak, now = _memory(pid)
                self.peaks[pid] = max(self.peaks.get(pid, 0.0), peak)
                together += now
            self.resident, self.most = together, max(self.most, together)


def processes(session: int) -> list[int]:
    """Return the numbers of a session's processes that live, and of their children, which may have left the session.

    Args:
        session: the number of its first process.
    """
    found: set[int] = set()
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()  # a name may have spaces
        except OSError:  # it has ended
            continue
        state, parent, _, its_session = words[:4]
        if state != "Z":
            children[int(parent)].append(int(stat.parent.name))
            if int(its_session) == session:
                found.add(int(stat.parent.name))
    new = list(found)
    while new:
        new = [child for parent in new for child in children[parent] if child not in found]
        found.update(new)
    return sorted(found)


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the time that processes, and their children that have ended, have computed."""
    ticks = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def live(pids: Iterable[int]) -> list[int]:
    """Return those of processes that have not ended."""
    return [pid for pid in pids if resident(pid) > 0]


def resident(pid: int) -> float:
    """Return the MiB that a process holds now; 0 of one that has ended."""
    return _memory(pid)[1]


def _memory(pid: int) -> tuple[float, float]:
    """Peak and present resident memory in MiB; zeros of a process that has ended."""
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return 0.0, 0.0
    values = [int(lines[name].split()[0]) / 1024 if name in lines else 0.0 for name in ("VmHWM", "VmRSS")]
    return values[0], values[1]
