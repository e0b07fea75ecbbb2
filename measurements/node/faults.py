# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Faults around a node with a real PACS, and after each whether there is exactly one result set for each instance.

``python -m measurements.node.faults --checkpoint MODEL.pt`` runs them all, each with a node of its own, and prints a
table; the exit code is 1 where something is lost or there twice. Orthanc (and with ``--postgres`` PostgreSQL) of
Debian's packages are started on loopback and end with it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from measurements.command_line import run_measurement
from measurements.node import hostile, kills
from measurements.node.bench import HEADINGS, Bench
from measurements.node.command_line import node_parser
from measurements.node.memory import resident
from measurements.node.node import Node, wait_until
from measurements.node.refusing_receiver import RefusingReceiver
from measurements.node.senders import push_aside, push_by_orthanc, push_by_pynetdicom
from measurements.node.workplace import workplace
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["FAULTS", "faults", "main"]

DOWN_SECONDS = 30.0
ASSOCIATIONS, GARBAGE_MIB, SILENT = 10_000, 64, 100
DISK_MIB = 192


def push_from_orthanc(bench: Bench) -> None:
    """Push by Orthanc over four associations."""
    with bench.fault("push by Orthanc") as (node, sent, _):
        node.start()
        push_by_orthanc(bench.pacs, bench.upload(node, sent))


def push_from_pynetdicom(bench: Bench) -> None:
    """Push by pynetdicom over four associations."""
    with bench.fault("push by pynetdicom") as (node, sent, _):
        node.start()
        push_by_pynetdicom(list(sent.values()), node.port)


def duplicates(bench: Bench) -> None:
    """Send each twice at the same time, and again when all is done."""
    with bench.fault("duplicates") as (node, sent, remarks):
        node.start()
        paths = list(sent.values())
        twice = [path for path in paths for _ in range(2)]  # the two go over different associations at once
        push_by_pynetdicom(twice, node.port)
        node.wait_for(len(sent), 900)
        push_by_pynetdicom(paths, node.port)
        remarks.append(f"{node.query('SELECT SUM(copies) FROM instances')[0][0]} copies")


def late(bench: Bench) -> None:
    """Send out of order, and some of each series when the others are done."""
    with bench.fault("out of order, late") as (node, sent, _):
        node.start()
        paths = list(sent.values())
        random.Random(0).shuffle(paths)
        early = paths[: len(paths) * 3 // 4]
        push_by_pynetdicom(early, node.port)
        node.wait_for(len(early), 900)
        push_by_pynetdicom(paths[len(early) :], node.port)


def receiver_down(bench: Bench) -> None:
    """Have the PACS down while results are made, and for half a minute after."""
    with bench.fault("receiver down for 30 s") as (node, sent, _):
        node.start()
        bench.pacs.stop()
        try:
            push_by_pynetdicom(list(sent.values()), node.port)
            time.sleep(DOWN_SECONDS)
        finally:
            bench.pacs.start()


def receiver_refuses(bench: Bench) -> None:
    """Send results to a receiver that refuses each of them three times."""
    with RefusingReceiver(bench.pacs) as receiver:
        where = {"title": receiver.title, "host": "127.0.0.1", "port": receiver.port}
        destination = {"name": "refusing", "dicom": where, "kinds": ["sr", "sc", "seg"]}
        with bench.fault("receiver refuses three times", destinations=[destination]) as (node, sent, remarks):
            node.start()
            push_by_pynetdicom(list(sent.values()), node.port)
            node.wait_for(len(sent), 900)
            refused = min(receiver.refused.values(), default=0)
            remarks.append(
                f"each refused {refused} times, taken {max(receiver.taken.values(), default=0)} times at most"
            )


def dicom_web(bench: Bench) -> None:
    """Send results by STOW-RS."""
    where = {"url": bench.pacs.dicom_web}
    destination = {"name": "archive", "dicomweb": where, "kinds": ["sr", "sc", "seg"]}
    with bench.fault("results by STOW", destinations=[destination]) as (node, sent, _):
        node.start()
        push_by_pynetdicom(list(sent.values()), node.port)


def disk_full(bench: Bench) -> None:
    """Fill the spool's file system, a small tmpfs, before and while objects come in, then make room."""
    with bench.fault("spool's disk full", more={"queue": {"min_free_gib": 0.02}}) as (node, sent, remarks):
        kept = node.folder / "kept"
        kept.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(kept)]
        if subprocess.run(mount, capture_output=True).returncode:
            raise ValueError("the full disk needs a tmpfs, which this account may not mount; run it as root.")
        bench.unmount.append(kept)
        filler = kept / "filler"
        filler.write_bytes(b"\0" * (DISK_MIB - 24) * 2**20)
        node.start()
        with push_aside(list(sent.values()), node.port):
            wait_until(lambda: _refused_for_room(node) > 0, 300, "a refusal of the full spool")
            time.sleep(5)
            remarks.append(f"{_refused_for_room(node)} refused with 0xA700, then taken")
            filler.unlink()


def hostile_sender(bench: Bench) -> None:
    """Ask with wrong titles, for 10,000 associations, pour garbage, forge sizes; a known sender sends all the while."""
    with bench.fault("hostile sender") as (node, sent, remarks):
        node.start()
        (receiver,) = node.parts()["receiver"]
        before, paths = resident(receiver), list(sent.values())
        with push_aside(paths[::2], node.port), hostile.silence(node.port, SILENT):
            remarks.append(f"{hostile.wrong_titles(node.port)} of 3 wrong titles accepted")
            hostile.forge_sizes(node.port)
            hostile.pour_garbage(node.port, GARBAGE_MIB)
        with push_aside(paths[1::2], node.port):  # they get in among the others
            remarks.append(f"{ASSOCIATIONS} associations in {hostile.flood(node.port, ASSOCIATIONS):.0f} s")
        counted = node.query("SELECT COALESCE(SUM(number), 0) FROM refusals")[0][0]
        remarks.append(f"{counted} refused, {node.log.count('Traceback')} tracebacks")
        remarks.append(f"receiver {before:.0f} MiB before, {resident(receiver):.0f} after")


FAULTS: Mapping[str, Callable[[Bench], None]] = {
    function.__name__: function
    for function in (
        *(push_from_orthanc, push_from_pynetdicom, duplicates, late, receiver_down, receiver_refuses, dicom_web),
        *(kills.killed_while_receiving, kills.killed_when_queued, kills.killed_while_scoring),
        *(kills.killed_when_scored, kills.killed_while_sending, kills.killed_anywhere),
        *(kills.killed_supervisor, kills.killed_parts, disk_full, hostile_sender),
    )
}


def _refused_for_room(node: Node) -> int:
    rows = node.query("SELECT SUM(number) FROM refusals WHERE code IN ('no_room', 'spool_full')")
    return int(rows[0][0] or 0) if rows else 0


def faults(
    checkpoint: str,
    *,
    names: Sequence[str] = (),
    instances: int = 200,
    postgres: bool = False,
    folder: str | None = None,
) -> None:
    """Run faults and print a table.

    Args:
        checkpoint: a trained ``model.pt`` with its calibration beside it.
        names: of :data:`FAULTS`; empty takes all.
        instances: that each of them sends.
        postgres: keep the nodes' states in PostgreSQL.
        folder: where to work; None takes a temporary one.

    Raises:
        CheckpointError: when there is no such detector.
        ValueError: when something was lost or came twice.
    """
    require_checkpoint(checkpoint)
    with workplace(folder, postgres=postgres) as place:
        bench = Bench(place.folder, Path(checkpoint), place.pacs, instances, place.new_database)
        print(HEADINGS)
        failed = []
        for name in names or FAULTS:
            try:
                FAULTS[name](bench)
            except ValueError as error:  # the others still have something to tell
                print(f"| {name} | | | | | | | | {' '.join(str(error).split())} |", flush=True)
                failed.append(name)
            finally:
                bench.release()
    failed += [outcome.name for outcome in bench.outcomes if outcome.wrong]
    if failed:
        raise ValueError(f"something was lost, came twice or did not end: {', '.join(failed)}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = node_parser("faults", __doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help=f"some of {', '.join(FAULTS)} (default: all)")
    parser.add_argument("--instances", type=count, default=200, help="that each fault sends (default: %(default)s)")
    options = vars(parser.parse_args(arguments))
    unknown = sorted(set(options["names"]) - set(FAULTS))
    if unknown:
        parser.error(f"unknown faults: {', '.join(unknown)}")
    return run_measurement(faults, **options)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of pynetdicom whose peer was killed may not end, and is no daemon
