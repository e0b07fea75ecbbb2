# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How quick the node is: end to end over the bare scoring of the same files, one instance alone, and two workers.

``python -m measurements.node.throughput --checkpoint MODEL.pt`` runs bare scoring and the node in turn on one core; the
sender and the PACS have the others. It prints the ratio of time, which the bar of 1.5 is for, and that of computing, in
which other programs on the machine count less; then the time from C-STORE's answer to the last result of one instance
in Orthanc, less its scoring (bar 1 s). With ``--postgres`` it also compares two workers with one, on all cores. The
exit code is 1 where something is lost or there twice, or a bar is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import monai_anomaly
from measurements.command_line import run_measurement
from measurements.node.command_line import node_parser
from measurements.node.instances import make_instances
from measurements.node.memory import processes, processor_seconds
from measurements.node.node import Node, wait_until
from measurements.node.results import ResultReader, kinds_of, tally
from measurements.node.senders import push_by_pynetdicom
from measurements.node.servers.orthanc import Orthanc
from measurements.node.workplace import workplace
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["DELAY_BAR", "RATIO_BAR", "main", "throughput"]

RATIO_BAR = 1.5
"""Most that the node may take over the bare scoring of the same files."""

DELAY_BAR = 1.0
"""Most seconds from the answer to C-STORE to the results in the PACS, besides scoring."""

ALONE = 10
"""Instances that are sent one after the other."""

WARM = 48
"""Instances that a node gets before it is measured: enough for objects of most forms to have been built once."""


class _Bench:
    """A PACS and what is sent in each round.

    Args:
        folder: to work in.
        checkpoint: the detector.
        pacs: gets the results.
        cores: those of the node; None for all.
    """

    def __init__(self, folder: Path, checkpoint: Path, pacs: Orthanc, cores: set[int] | None = None) -> None:
        self.folder, self.checkpoint, self.pacs, self.cores = folder, checkpoint, pacs, cores
        self.reader = ResultReader(pacs)
        self.rounds = 0

    def node(self, database: str | None = None, workers: int = 1) -> Node:
        """Return a node, warm: it has scored instances and sent their results."""
        self.rounds += 1
        where = {"title": self.pacs.title, "host": "127.0.0.1", "port": self.pacs.dicom_port}
        settings: dict[str, Any] = {"workers": {"number": workers}}
        folder = self.folder / f"node{self.rounds}"
        node = Node(folder, self.checkpoint, [{"name": "pacs", "dicom": where}], settings, database)
        with on_cores(self.cores):
            node.start()
        push_by_pynetdicom(list(self.instances(WARM * workers).values()), node.port)
        node.wait_for(WARM * workers, 600)
        return node

    def instances(self, number: int) -> dict[str, Path]:
        """Make instances that nobody has had."""
        self.rounds += 1
        return make_instances(self.folder / f"instances{self.rounds}", number, name=f"throughput{self.rounds}")

    def through(self, node: Node, sent: dict[str, Path]) -> _Times:
        """Send instances, and return what it takes until the results of all are in the PACS."""
        before, computed = sum(node.states().values()), processor_seconds(processes(node.pid))
        start = time.monotonic()
        push_by_pynetdicom(list(sent.values()), node.port)
        node.wait_for(before + len(sent), 1800)
        return _Times(time.monotonic() - start, processor_seconds(processes(node.pid)) - computed)

    def check(self, sent: dict[str, Path]) -> None:
        """Count the results in the PACS.

        Raises:
            ValueError: when there is not exactly one set for each.
        """
        sets = {uid: results for uid, results in self.reader.read().items() if uid in sent}
        wrong = tally(sets, {uid: kinds_of(path) for uid, path in sent.items()}).wrong
        if wrong:
            raise ValueError(f"something was lost or came twice: {'; '.join(wrong)}.")


class _Bare:
    """Scores files as the worker does, without a node.

    Args:
        checkpoint: the detector.
        cores: those that it computes on; None for all.
        warm: some files, scored at once.
    """

    def __init__(self, checkpoint: Path, cores: set[int] | None, warm: dict[str, Path]) -> None:
        self._cores, known = cores, _children()
        torch.set_num_threads(1)
        with on_cores(cores):
            self._detector = monai_anomaly.load(checkpoint, batch_size=8, decode_limit=60.0)
        self._decoders: set[int] = set()
        self.score(warm)
        self._decoders = _children() - known

    def score(self, sent: dict[str, Path]) -> _Times:
        """Score files, and return what it takes."""
        items = [{"image": str(path), "name": uid} for uid, path in sent.items()]
        start, computed = time.monotonic(), time.process_time() + processor_seconds(self._decoders)
        with on_cores(self._cores):
            for _ in self._detector.score_items(iter(items)):
                pass
        ended = time.process_time() + processor_seconds(self._decoders)
        return _Times(time.monotonic() - start, ended - computed)


@dataclass(frozen=True)
class _Times:
    """Seconds that something took, and those of them, of all its processes, in which it computed."""

    seconds: float
    computed: float


@contextmanager
def on_cores(cores: set[int] | None) -> Iterator[None]:
    """Keep this thread, and the processes that it starts, to some cores.

    Args:
        cores: their numbers; None changes nothing.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _children() -> set[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for children in tasks.glob("*/children") for pid in children.read_text().split()}


def throughput(
    checkpoint: str, *, instances: int = 200, rounds: int = 3, postgres: bool = False, folder: str | None = None
) -> None:
    """Measure and print.

    Args:
        checkpoint: a trained ``model.pt`` with its calibration beside it.
        instances: of a round.
        rounds: that both sides run.
        postgres: compare two workers with one, too.
        folder: where to work; None takes a temporary one.

    Raises:
        CheckpointError: when there is no such detector.
        ValueError: when something was lost or came twice, or a bar is missed.
    """
    require_checkpoint(checkpoint)
    with ExitStack() as stack:
        place = stack.enter_context(workplace(folder, postgres=postgres))
        cores = os.sched_getaffinity(0)
        bench = _Bench(place.folder, Path(checkpoint), place.pacs, {min(cores)})
        with on_cores(cores - {min(cores)} or cores):
            missed = [*_ratio(bench, instances, rounds), *_alone(bench)]
        bench.cores = None
        if place.new_database is not None:
            _two_workers(bench, place.new_database, instances, rounds)
    if missed:
        raise ValueError(f"missed: {', '.join(missed)}.")


def _ratio(bench: _Bench, instances: int, rounds: int) -> list[str]:
    """Run both sides in turn and print their ratio."""
    bare, node = _Bare(bench.checkpoint, bench.cores, bench.instances(8)), bench.node()
    ratios, computing = [], []
    try:
        for _ in range(rounds):
            sent = bench.instances(instances)
            alone, whole = bare.score(sent), bench.through(node, sent)
            bench.check(sent)
            ratios.append(whole.seconds / alone.seconds)
            computing.append(whole.computed / alone.computed)
            print(
                f"{instances} instances: bare {alone.seconds:.1f} s ({alone.computed:.1f} s computing), end to end "
                f"{whole.seconds:.1f} s ({whole.computed:.1f} s), ratio {ratios[-1]:.2f} ({computing[-1]:.2f})",
                flush=True,
            )
    finally:
        node.close()
    middle = statistics.median(ratios)
    print(f"ratio, median of {rounds}: {middle:.2f} (bar {RATIO_BAR}), of computing {statistics.median(computing):.2f}")
    return [] if middle <= RATIO_BAR else ["the ratio"]


def _alone(bench: _Bench) -> list[str]:
    """Send instances one by one to a node that waits, and print how long the results take."""
    bare, node = _Bare(bench.checkpoint, bench.cores, bench.instances(8)), bench.node()
    delays = []
    try:
        for uid, path in bench.instances(ALONE).items():
            wanted = _number_of_instances(bench.pacs) + len(kinds_of(path))
            taken = push_by_pynetdicom([path], node.port, associations=1)[path]
            _wait_until_there(bench.pacs, wanted)
            delays.append(time.time() - taken - bare.score({uid: path}).seconds)
            bench.check({uid: path})
    finally:
        node.close()
    middle = statistics.median(delays)
    said = "one instance, from the answer to the last result in the PACS, besides scoring"
    print(f"{said}: median {middle:.2f} s, most {max(delays):.2f} s (bar {DELAY_BAR:.0f} s)")
    return [] if middle < DELAY_BAR else ["the time of one instance"]


def _number_of_instances(pacs: Orthanc) -> int:
    return int(pacs.get("/statistics")["CountInstances"])


def _wait_until_there(pacs: Orthanc, number: int) -> None:
    wait_until(lambda: _number_of_instances(pacs) >= number, 60, "an instance's results", 0.005)


def _two_workers(bench: _Bench, new_database: Callable[[], str], instances: int, rounds: int) -> None:
    """Print what a second worker gives."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * rounds:
        node = bench.node(new_database(), workers)
        try:
            sent = bench.instances(instances)
            seconds[workers].append(bench.through(node, sent).seconds)
        finally:
            node.close()
        bench.check(sent)
    one, two = (statistics.median(seconds[workers]) for workers in (1, 2))
    print(
        f"{instances} instances on PostgreSQL: one worker {one:.1f} s, two {two:.1f} s, {one / two:.2f} times as fast"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = node_parser("throughput", __doc__)
    parser.add_argument("--instances", type=count, default=200, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=count, default=3, help="that both sides run (default: %(default)s)")
    return run_measurement(throughput, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
