# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A PACS, a node and instances, for one fault after the other."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measurements.node.instances import make_instances
from measurements.node.memory import MemoryWatch
from measurements.node.node import Node
from measurements.node.results import ResultReader, Tally, kinds_of, tally
from measurements.node.servers.orthanc import Orthanc

__all__ = ["HEADINGS", "Bench", "Outcome"]

QUIET_SECONDS = 3.0
"""How long nothing may arrive before what is there is counted: long enough for a second set to come, too."""


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


@dataclass
class Outcome:
    """What was left after a fault.

    Args:
        name: of the fault.
        instances: that were sent.
        results: what arrived in the PACS.
        left: processes that still were there when the node had ended.
        peak: MiB that the largest process of the node held.
        most: MiB that all of them held together.
        seconds: from the node's start to the last result.
        remarks: what else is to be said.
    """

    name: str
    instances: int
    results: Tally
    left: int
    peak: float
    most: float
    seconds: float
    remarks: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """What should not be."""
        return [*self.results.wrong, *([f"{self.left} processes left"] if self.left else [])]

    def row(self) -> str:
        """Return it as a row of a table with :data:`HEADINGS`."""
        found = self.results
        counts = (self.instances, f"{found.found} of {found.expected}", found.twice, found.expected - found.found)
        sizes = (f"{self.peak:.0f}", f"{self.most:.0f}", f"{self.seconds / 60:.1f}")
        return _row(self.name, *counts, *sizes, "; ".join([*self.wrong, *self.remarks]))


HEADINGS = "\n".join(
    (
        _row("fault", "instances", "results", "twice", "lost", "largest process, MiB", "all, MiB", "minutes", ""),
        "|---" * 9 + "|",
    )
)
"""Two lines over rows of outcomes."""


class Bench:
    """Makes a node and its instances for each fault; one PACS takes all results.

    Args:
        folder: for all that is written.
        checkpoint: the detector.
        pacs: runs already.
        instances: how many a fault sends.
        database: makes the URL of an empty database; None leaves SQLite.
    """

    def __init__(
        self,
        folder: Path,
        checkpoint: Path,
        pacs: Orthanc,
        instances: int,
        database: Callable[[], str] | None = None,
    ) -> None:
        self.folder, self.checkpoint, self.pacs, self.number = folder, checkpoint, pacs, instances
        self.database = database
        self.reader = ResultReader(pacs)
        self.outcomes: list[Outcome] = []
        self._sent: set[str] = set()
        self.unmount: list[Path] = []

    @contextmanager
    def fault(
        self,
        name: str,
        *,
        number: int | None = None,
        destinations: list[dict[str, Any]] | None = None,
        more: Mapping[str, Any] | None = None,
        seconds: float = 900.0,
    ) -> Iterator[tuple[Node, dict[str, Path], list[str]]]:
        """Give a node that does not run yet, instances for it by their UIDs, and a list for remarks.

        At the end of the ``with`` the node runs, and has been sent all of them; its results are waited for and counted.

        Args:
            name: of the fault.
            number: of instances, if not the bench's.
            destinations: if not the PACS by C-STORE.
            more: sections of the configuration.
            seconds: to wait for the results.
        """
        start = time.monotonic()
        folder = self.folder / name.replace(" ", "_")
        sent = make_instances(folder / "instances", number or self.number, name=name)
        database = self.database() if self.database else None
        node = Node(folder, self.checkpoint, destinations or [self.destination()], more, database)
        remarks: list[str] = []
        watch = _Watches(node)
        try:
            yield node, sent, remarks
            node.wait_for(len(sent), seconds)
            self._wait_for_quiet(seconds)
            ended = time.monotonic() - start - QUIET_SECONDS
            refused = node.query("SELECT code, COUNT(*) FROM jobs WHERE state IN ('refused', 'dead') GROUP BY code")
            remarks += [f"{times} refused: {code}" for code, times in refused]
            watch.close()
            left = node.stop()
        finally:
            watch.close()
            node.close()
        results = tally(self._results_of(sent), {uid: kinds_of(path) for uid, path in sent.items()})
        outcome = Outcome(name, len(sent), results, left, watch.peak, watch.most, ended, remarks)
        self.outcomes.append(outcome)
        print(outcome.row(), flush=True)

    def destination(self) -> dict[str, Any]:
        """Return the PACS as a destination by C-STORE."""
        where = {"title": self.pacs.title, "host": "127.0.0.1", "port": self.pacs.dicom_port}
        return {"name": "pacs", "dicom": where, "kinds": ["sr", "sc", "seg"]}

    def upload(self, node: Node, sent: Mapping[str, Path]) -> list[str]:
        """Give instances to the PACS, make the node known to it, and return its names of them."""
        self.pacs.add_modality("node", node.title, node.port)
        return [self.pacs.upload(path.read_bytes()) for path in sent.values()]

    def release(self) -> None:
        """Unmount what a fault has mounted."""
        while self.unmount:
            subprocess.run(["umount", "--lazy", str(self.unmount.pop())], check=True)

    def _results_of(self, sent: Mapping[str, Path]) -> dict[str, Counter[str]]:
        """Return the results of the instances of a fault, and of those that nobody has sent."""
        self._sent |= set(sent)
        before = self._sent - set(sent)
        return {uid: results for uid, results in self.reader.read().items() if uid not in before}

    def _wait_for_quiet(self, seconds: float) -> None:
        end, before, since = time.monotonic() + seconds, -1, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < QUIET_SECONDS:
            number = len(self.pacs.instances())
            if number != before:
                before, since = number, time.monotonic()
            time.sleep(0.2)


class _Watches:
    """Watches of all the sessions that a node has had."""

    def __init__(self, node: Node) -> None:
        self._watches: list[MemoryWatch] = []
        node.started = self._begin

    def _begin(self, session: int) -> None:
        watch = MemoryWatch(session)
        watch.__enter__()
        self._watches.append(watch)

    def close(self) -> None:
        """End all."""
        for watch in self._watches:
            watch.__exit__()  # once more is nothing

    @property
    def peak(self) -> float:
        """MiB of the largest process."""
        return max((watch.peak for watch in self._watches), default=0.0)

    @property
    def most(self) -> float:
        """MiB of all at a time."""
        return max((watch.most for watch in self._watches), default=0.0)
