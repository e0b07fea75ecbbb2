# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a node that runs for long loses an instance or gathers memory, files or threads.

``python -m measurements.node.soak --checkpoint MODEL.pt --instances 10000`` sends generated and real instances to a
node over four associations, as it takes them, and prints from time to time what the node holds. With ``--minutes`` it
sends no more after that time, and counts what was sent. The exit code is 1 where something was lost or came twice, or
where the node grew from the middle third of the run to the last one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from measurements.command_line import run_measurement
from measurements.node.command_line import node_parser
from measurements.node.holdings import HEADINGS, Holdings, growth, look
from measurements.node.instances import make_instances
from measurements.node.node import Node
from measurements.node.results import ResultReader, Tally, kinds_of, tally
from measurements.node.senders import push_by_pynetdicom
from measurements.node.workplace import workplace
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["main", "soak"]

AT_A_TIME = 50
"""Instances that are made, sent and removed together."""

QUIET_SECONDS = 3.0
WAITING = 200
"""Jobs that may not be at their ends before more is sent, so that the queue's length says something, too."""


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
        ValueError: when something was lost or came twice, or the node grew.
    """
    require_checkpoint(checkpoint)
    with workplace(folder, postgres=postgres) as place:
        where = {"title": place.pacs.title, "host": "127.0.0.1", "port": place.pacs.dicom_port}
        database = place.new_database() if place.new_database is not None else None
        more = {"workers": {"number": workers}}
        node = Node(place.folder, Path(checkpoint), [{"name": "pacs", "dicom": where}], more, database)
        try:
            node.start()
            looks, found, seconds = _send(node, ResultReader(place.pacs, keep=False), place.folder, instances, minutes)
            left = node.stop()
        finally:
            node.close()
    sent = looks[-1].sent
    grown = growth(looks)
    wrong = [*found.wrong, *grown, *([f"{left} processes left"] if left else [])]
    print(f"{sent} instances in {seconds:.0f} s, {sent / seconds:.2f} a second; {'; '.join(grown) or 'nothing grew'}")
    print(f"{found.found} of {found.expected} results, {found.twice} twice, {found.strange} of nobody")
    if wrong:
        raise ValueError(f"the soak was not as it should be: {', '.join(wrong)}.")


def _send(
    node: Node, reader: ResultReader, folder: Path, instances: int, minutes: float | None
) -> tuple[list[Holdings], Tally, float]:
    """Send as the node takes, and print what it holds; return that, what arrived, and the seconds."""
    start = time.monotonic()
    print(HEADINGS)
    sent: dict[str, tuple[str, ...]] = {}
    looks = []
    while len(sent) < instances and (minutes is None or time.monotonic() - start < 60 * minutes):
        number = min(AT_A_TIME, instances - len(sent))
        made = make_instances(folder / "instances", number, name=f"soak{len(sent)}")
        push_by_pynetdicom(list(made.values()), node.port, seconds=1800)
        sent |= {uid: kinds_of(path) for uid, path in made.items()}
        node.wait_for(len(sent) - WAITING, 1800)
        reader.read()
        looks.append(look(node, len(sent), time.monotonic() - start))
        print(looks[-1].row(), flush=True)
    node.wait_for(len(sent), 3600)
    seconds = time.monotonic() - start
    looks.append(look(node, len(sent), seconds))
    print(looks[-1].row(), flush=True)
    time.sleep(QUIET_SECONDS)  # for what may come twice
    return looks, tally(reader.read(), sent), seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = node_parser("soak", __doc__)
    parser.add_argument("--instances", type=count, default=10_000, help="at most (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="to send for, at most")
    parser.add_argument("--workers", type=count, default=1, help="of the node (default: %(default)s)")
    return run_measurement(soak, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
