# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How quick the node is: end to end over the bare scoring of the same files, one instance alone, and two workers.

``python -m measurements.node.throughput --checkpoint MODEL.pt`` runs bare scoring and the node in turn on one core and
prints the ratio of processor time and of time (bar 1.5), then the time from C-STORE's answer to the last result of one
instance in Orthanc, less its scoring (bar 1 s). With ``--postgres`` it also compares two workers with one, on all
cores. The exit code is 1 where something is lost or there twice, or a bar is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import monai_anomaly
from measurements.command_line import run_measurement
from measurements.node.command_line import node_parser
from measurements.node.instances import make_instances
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


class _Bench:
    """A PACS and what is sent in each round.

    Args:
        folder: to work in.
        checkpoint: the detector.
        pacs: gets the results.
    """

    def __init__(self, folder: Path, checkpoint: Path, pacs: Orthanc) -> None:
        self.folder, self.checkpoint, self.pacs = folder, checkpoint, pacs
        self.reader = ResultReader(pacs)
        self.rounds = 0

    def node(self, database: str | None = None, workers: int = 1) -> Node:
        """Return a node, warm: it has scored one instance and sent its results."""
        self.rounds += 1
        where = {"title": self.pacs.title, "host": "127.0.0.1", "port": self.pacs.dicom_port}
        settings: dict[str, Any] = {"workers": {"number": workers}}
        folder = self.folder / f"node{self.rounds}"
        node = Node(folder, self.checkpoint, [{"name": "pacs", "dicom": where}], settings, database)
        node.start()
        push_by_pynetdicom(list(self.instances(4 * workers).values()), node.port)
        node.wait_for(4 * workers, 300)
        return node

    def instances(self, number: int) -> dict[str, Path]:
        """Make instances that nobody has had."""
        self.rounds += 1
        return make_instances(self.folder / f"instances{self.rounds}", number, name=f"throughput{self.rounds}")

    def through(self, node: Node, sent: dict[str, Path]) -> float:
        """Send instances and return the seconds until the results of all are in the PACS."""
        before = sum(node.states().values())
        start = time.monotonic()
        push_by_pynetdicom(list(sent.values()), node.port)
        node.wait_for(before + len(sent), 1800)
        return time.monotonic() - start

    def check(self, sent: dict[str, Path]) -> None:
        """Count the results in the PACS.

        Raises:
            ValueError: when there is not exactly one set for each.
        """
        sets = {uid: results for uid, results in self.reader.read().items() if uid in sent}
        wrong = tally(sets, {uid: kinds_of(path) for uid, path in sent.items()}).wrong
        if wrong:
            raise ValueError(f"something was lost or came twice: {'; '.join(wrong)}.")


def _bare(checkpoint: Path) -> Callable[[dict[str, Path]], float]:
    """Return what scores files as the worker does, without a node, and says the seconds."""
    detector = monai_anomaly.load(checkpoint, batch_size=8, decode_limit=60.0)

    def score(sent: dict[str, Path]) -> float:
        start = time.monotonic()
        for _ in detector.score_items({"image": str(path)} for path in sent.values()):
            pass
        return time.monotonic() - start

    return score


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
        bench = _Bench(place.folder, Path(checkpoint), place.pacs)
        cores = os.sched_getaffinity(0)
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, {min(cores)})  # and the node's processes, which inherit it
        missed = [*_ratio(bench, instances, rounds), *_alone(bench)]
        os.sched_setaffinity(0, cores)
        if place.new_database is not None:
            _two_workers(bench, place.new_database, instances, rounds)
    if missed:
        raise ValueError(f"missed: {', '.join(missed)}.")


def _ratio(bench: _Bench, instances: int, rounds: int) -> list[str]:
    """Run both sides in turn and print their ratio."""
    score, node = _bare(bench.checkpoint), bench.node()
    ratios = []
    try:
        score(bench.instances(8))  # warm
        for _ in range(rounds):
            sent = bench.instances(instances)
            bare, whole = score(sent), bench.through(node, sent)
            bench.check(sent)
            ratios.append(whole / bare)
            print(
                f"{instances} instances: bare {bare:.1f} s, end to end {whole:.1f} s, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    finally:
        node.close()
    middle = statistics.median(ratios)
    print(f"ratio, median of {rounds}: {middle:.2f} (bar {RATIO_BAR})")
    return [] if middle <= RATIO_BAR else ["the ratio"]


def _alone(bench: _Bench) -> list[str]:
    """Send instances one by one to a node that waits, and print how long the results take."""
    score, node = _bare(bench.checkpoint), bench.node()
    delays = []
    try:
        score(bench.instances(8))  # warm
        for uid, path in bench.instances(ALONE).items():
            taken = push_by_pynetdicom([path], node.port, associations=1)[path]
            wait_until(lambda: _all_are_sent(node), 60, "an instance's results", 0.005)
            there = time.time()
            delays.append(there - taken - score({uid: path}))
            bench.check({uid: path})
    finally:
        node.close()
    middle = statistics.median(delays)
    said = "one instance, from the answer to the last result's acceptance, besides scoring"
    print(f"{said}: median {middle:.2f} s, most {max(delays):.2f} s (bar {DELAY_BAR:.0f} s)")
    return [] if middle < DELAY_BAR else ["the time of one instance"]


def _all_are_sent(node: Node) -> bool:
    return set(node.states()) <= {"done", "refused"}


def _two_workers(bench: _Bench, new_database: Callable[[], str], instances: int, rounds: int) -> None:
    """Print what a second worker gives."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * rounds:
        node = bench.node(new_database(), workers)
        try:
            sent = bench.instances(instances)
            seconds[workers].append(bench.through(node, sent))
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
