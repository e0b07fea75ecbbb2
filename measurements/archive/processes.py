# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The processes below a process, and the end of one of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["WORKER", "CpuLog", "descendants", "kill_a_worker", "lives"]

WORKER = "ray::MapWorker"
"""Is in the command line of those that score, as Ray calls them."""


def descendants(process: int) -> Iterator[tuple[int, str]]:
    """Yield the processes below a process, with their command lines; those below another one come after it."""
    parents, names = _all_processes()
    for child in _below(process, parents):
        yield child, names[child]


def _all_processes() -> tuple[dict[int, int], dict[int, str]]:
    """Return each process' parent and command line."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    return parents, names


def _below(process: int, parents: dict[int, int]) -> Iterator[int]:
    rest = [process]
    while rest:
        parent = rest.pop()
        children = [child for child, of in parents.items() if of == parent]
        rest += children
        yield from children


def kill_a_worker(process: int) -> int:
    """End one of the processes that score, as the system does when memory runs out, and return its number.

    Args:
        process: that they are below.
    """
    worker = next(child for child, name in descendants(process) if WORKER in name)
    os.kill(worker, signal.SIGKILL)
    return worker


def lives(process: int) -> bool:
    """Return whether a process runs; one that ended may have its number until somebody asks how."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False


class CpuLog:
    """Notes from time to time how much is computed: by those below a process that score, by its others, and elsewhere.

    Args:
        process: that they are below.
    """

    def __init__(self, process: int) -> None:
        self._process = process
        self._notes: list[tuple[float, ...]] = []
        self._seconds: dict[int, tuple[bool, float]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> CpuLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, start: float, end: float) -> tuple[float, float, float]:
        """Return the seconds of computing of those that score, with their decoders, of the others, and of all else.

        Args:
            start: as of :func:`time.time`.
            end: the same.
        """
        within = [note for note in self._notes if start <= note[0] <= end]
        if len(within) < 2:
            return float("nan"), float("nan"), float("nan")
        first, last = within[0], within[-1]
        share = (end - start) / (last[0] - first[0])
        scoring, others, machine = (share * (late - early) for early, late in zip(first[1:], last[1:], strict=True))
        return scoring, others, machine - scoring - others

    def _watch(self) -> None:
        while not self._ended.wait(1):
            parents, names = _all_processes()
            scoring: set[int] = set()
            for process in _below(self._process, parents):
                if WORKER in names[process]:
                    scoring |= {process, *_below(process, parents)}
                scored, seconds = self._seconds.get(process, (False, 0.0))  # one that is renamed has no name meanwhile
                self._seconds[process] = (process in scoring or scored, _computed(process, seconds))
            sums = [sum(used for scores, used in self._seconds.values() if scores is which) for which in (True, False)]
            self._notes.append((time.time(), *sums, _machine_computed()))


def _machine_computed() -> float:
    """Return the seconds that all cores have computed, those too that another machine on the same ones took."""
    user, nice, system, _, _, *interrupts_and_taken = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts_and_taken))) / os.sysconf("SC_CLK_TCK")


def _computed(process: int, before: float) -> float:
    """Return the seconds that a process has computed; what was known of one that has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return before
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
