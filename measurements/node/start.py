# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Measure what a node takes to start: computing and memory of each of its processes, once its workers are ready.

``python -m measurements.node.start --checkpoint MODEL.pt --workers 2``; memory that processes share counts once (PSS).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measurements.node.command_line import node_parser
from measurements.node.node import Node, wait_until
from measurements.node.parts import find_parts
from measurements.node.servers.private import free_port

__all__ = ["main"]

LONG = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each process."""
    parser = node_parser("start", __doc__)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many (default: 1)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        web = free_port()
        more = {"workers": {"number": chosen.workers}, "web": {"port": web, "login": False}}
        node = Node(Path(folder), Path(chosen.checkpoint), [], more)
        try:
            for when, ready in (("at first", chosen.workers), ("again", 2 * chosen.workers)):
                node.stop()
                begun = time.monotonic()
                node.start()
                print(f"{when}: answers after {time.monotonic() - begun:.1f} s")
                wait_until(lambda: node.log.count("worker: ready") >= ready, LONG, "the workers")  # noqa: B023
                print(f"{when}: workers are ready after {time.monotonic() - begun:.1f} s")
            wait_until(lambda: "web" in find_parts(node.pid, node.port, web), LONG, "the pages")
            _print_parts(node, web)
        finally:
            node.close()
    return 0


def _print_parts(node: Node, web: int) -> None:
    seconds, together = 0.0, 0.0
    for part, pids in sorted(find_parts(node.pid, node.port, web).items()):
        for pid in pids:
            computed, (resident, shared, own) = _computed(pid), _memory(pid)
            held = f"{resident:5.0f} MiB resident, {shared:4.0f} its share, {own:4.0f} its own"
            print(f"{part:<12} {computed:5.1f} s  {held}")
            seconds, together = seconds + computed, together + shared
    print(f"{'together':<12} {seconds:5.1f} s  {together:5.0f} MiB")


def _computed(pid: int) -> float:
    """Return the seconds of computing of a process, without those of its children."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> tuple[float, float, float]:
    """Return MiB: what is resident, that with what is shared divided by who shares it, and what nobody shares."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    resident, shared, clean, dirty = (
        int(lines[name].split()[0]) / 1024 for name in ("Rss", "Pss", "Private_Clean", "Private_Dirty")
    )
    return resident, shared, clean + dirty


if __name__ == "__main__":
    sys.exit(main())
