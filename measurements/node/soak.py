# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a node that runs for long loses an instance or gathers memory.

``python -m measurements.node.soak --checkpoint MODEL.pt --instances 10000`` sends generated and real instances to a
node over four associations, as it takes them, and prints memory, queue and the database's size from time to time. With
``--minutes`` it sends no more after that time, and counts what was sent. The exit code is 1 where something was lost
or came twice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from measurements.command_line import run_measurement
from measurements.node.command_line import node_parser
from measurements.node.instances import make_instances
from measurements.node.memory import MemoryWatch
from measurements.node.node import FINAL, Node, wait_until
from measurements.node.results import ResultReader, differences
from measurements.node.senders import push_by_pynetdicom
from measurements.node.workplace import workplace
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["main", "soak"]

AT_A_TIME = 250
"""Instances that are made, sent and removed together."""

WAITING = 500
"""Jobs that may wait before more is sent, so that the queue's length says something, too."""


def soak(
    checkpoint: str,
    *,
    instances: int = 10_000,
    minutes: float | None = None,
    workers: int = 1,
    postgres: bool = False,
    folder: str | None = None,
) -> None:
    """Send, wait, count and print.

    Args:
        checkpoint: a trained ``model.pt`` with its calibration beside it.
        instances: how many at most.
        minutes: to send for, at most.
        workers: of the node.
        postgres: keep the node's state in PostgreSQL.
        folder: where to work; None takes a temporary one.

    Raises:
        CheckpointError: when there is no such detector.
        ValueError: when something was lost or came twice.
    """
    require_checkpoint(checkpoint)
    with ExitStack() as stack:
        place = stack.enter_context(workplace(folder, postgres=postgres))
        work, pacs = place.folder, place.pacs
        database = place.new_database() if place.new_database is not None else None
        where = {"title": pacs.title, "host": "127.0.0.1", "port": pacs.dicom_port}
        node = Node(
            work, Path(checkpoint), [{"name": "pacs", "dicom": where}], {"workers": {"number": workers}}, database
        )
        stack.callback(node.close)
        node.start()
        watch = stack.enter_context(MemoryWatch(node.pid))
        start = time.monotonic()
        print(
            "| sent | done | waiting | memory, MiB | largest process, MiB | database, MiB | s |",
            "|---" * 7 + "|",
            sep="\n",
        )
        sent: set[str] = set()
        while len(sent) < instances and (minutes is None or time.monotonic() - start < 60 * minutes):
            number = min(AT_A_TIME, instances - len(sent))
            made = make_instances(work / "instances", number, name=f"soak{len(sent)}")
            push_by_pynetdicom(list(made.values()), node.port, seconds=1800)
            sent |= set(made)
            wait_until(lambda: node.states()["queued"] <= WAITING, 1800, "a shorter queue")
            _print_row(node, watch, len(sent), time.monotonic() - start)
        node.wait_for(len(sent), 3600)
        seconds = time.monotonic() - start
        _print_row(node, watch, len(sent), seconds)
        wrong = differences(ResultReader(pacs).read(), sent)
    print(
        f"{len(sent)} instances in {seconds:.0f} s, {len(sent) / seconds:.1f} a second: {'; '.join(wrong) or 'lost 0'}"
    )
    if wrong:
        raise ValueError("something was lost or came twice.")


def _print_row(node: Node, watch: MemoryWatch, sent: int, seconds: float) -> None:
    states = node.states()
    done = sum(states[state] for state in FINAL)
    size = sum(path.stat().st_size for path in (node.folder / "kept").glob("node.db*")) / 2**20
    cells = (
        sent,
        done,
        states["queued"],
        f"{watch.resident:.0f}",
        f"{watch.peak:.0f}",
        f"{size:.1f}",
        f"{seconds:.0f}",
    )
    print(" | ".join(["", *map(str, cells), ""]).strip(), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = node_parser("soak", __doc__)
    parser.add_argument("--instances", type=count, default=10_000, help="at most (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="to send for, at most")
    parser.add_argument("--workers", type=count, default=1, help="of the node (default: %(default)s)")
    return run_measurement(soak, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
