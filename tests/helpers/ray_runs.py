# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Runs of ``predict --engine ray`` in a process of their own, whose workers can be found and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.helpers.processes import FreshProcess, run_module

__all__ = ["LIMIT", "await_that", "descendants", "kill_a_worker", "lives", "predict", "rows_of"]

LIMIT = 240
"""Seconds: Ray's start alone takes a minute where the machine has much else to do."""


def predict(*words: object) -> FreshProcess:
    """Start the command; the caller waits for it."""
    return FreshProcess(run_module, "monai_anomaly", "predict", *map(str, words))


def rows_of(out: Path) -> list[dict[str, Any]]:
    """Return all records of an archive, in the order of its files."""
    return sorted(pq.read_table(out / "records").to_pylist(), key=lambda row: row["index"])


def await_that(holds: Callable[[], Any]) -> Any:
    """Return what a question is answered with, once that is something."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        answer = holds()
        if answer:
            return answer
        time.sleep(0.05)
    raise TimeoutError("it did not come to pass.")


def descendants(process: int) -> Iterator[tuple[int, str]]:
    """Yield the processes below a process, with what they are called."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
        except OSError:  # it has ended
            continue
    below = [process]
    while below:
        parent = below.pop()
        below += [child for child, of in parents.items() if of == parent]
        yield from ((child, names[child]) for child, of in parents.items() if of == parent and child in names)


def kill_a_worker(process: int) -> None:
    """End one of the processes that score, as the system does when memory runs out."""
    workers = [child for child, name in descendants(process) if "ShardScorer" in name]
    os.kill(workers[0], signal.SIGKILL)


def lives(process: int) -> bool:
    """Return whether a process runs; one that ended may have its number until somebody asks how."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False
