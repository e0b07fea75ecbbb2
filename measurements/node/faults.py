# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Faults around a node with a real PACS, and after each whether there is exactly one result set for each instance.

``python -m measurements.node.faults --checkpoint MODEL.pt`` runs them all, each with a node of its own, and prints a
table; the exit code is 1 where something is lost or there twice. Orthanc (and with ``--postgres`` PostgreSQL) of
Debian's packages are started on loopback and end with it.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from measurements.command_line import run_measurement
from measurements.node import hostile
from measurements.node.bench import Bench
from measurements.node.command_line import node_parser
from measurements.node.node import Node, wait_until
from measurements.node.refusing_receiver import RefusingReceiver
from measurements.node.senders import push_by_orthanc, push_by_pynetdicom
from measurements.node.workplace import workplace
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["FAULTS", "faults", "main"]

DOWN_SECONDS = 30.0
ASSOCIATIONS, GARBAGE_MIB = 10_000, 64
KILL_RANGE = 20.0
DISK_MIB = 192
HEADINGS = "| fault | instances | results in the PACS | largest process, MiB | all, MiB | s | |"


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


def killed_while_receiving(bench: Bench) -> None:
    """Kill the node while objects come in, at five random moments."""
    with bench.fault("killed: received") as (node, sent, _):
        node.start()
        sender, failures = _push_aside(list(sent.values()), node.port)
        for moment in random.Random(1).choices([0.2, 0.5, 0.9, 1.4, 2.0], k=5):
            time.sleep(moment)
            node.kill()
            node.start()
        _join(sender, failures)


def killed_while_queued(bench: Bench) -> None:
    """Kill the node when all is received and nothing is scored."""
    with bench.fault("killed: queued") as (node, sent, remarks):
        node.start(only="receiver")
        push_by_pynetdicom(list(sent.values()), node.port)
        _kill_at(node, "queued", remarks)


def killed_while_scoring(bench: Bench) -> None:
    """Kill the node three times while jobs are scored."""
    with bench.fault("killed: scoring") as (node, sent, remarks):
        node.start()
        push_by_pynetdicom(list(sent.values()), node.port)
        for _ in range(3):
            _kill_at(node, "scoring", remarks)


def killed_when_scored(bench: Bench) -> None:
    """Kill the node when results are on the disk and none is sent."""
    with bench.fault("killed: scored") as (node, sent, remarks):
        node.start(only="receiver,worker")
        push_by_pynetdicom(list(sent.values()), node.port)
        _kill_at(node, "scored", remarks)


def killed_while_sending(bench: Bench) -> None:
    """Kill the node three times between two deliveries."""
    with bench.fault("killed: sending") as (node, sent, remarks):
        node.start()
        push_by_pynetdicom(list(sent.values()), node.port)
        for _ in range(3):
            _kill_at(node, "sending", remarks)


def killed_anywhere(bench: Bench, kills: int = 10) -> None:
    """Kill the node at random moments while objects come in."""
    with bench.fault(f"killed: {kills} random moments") as (node, sent, remarks):
        node.start()
        sender, failures = _push_aside(list(sent.values()), node.port)
        moments = random.Random(2)
        for _ in range(kills):
            time.sleep(moments.uniform(0.0, KILL_RANGE))
            remarks.append("/".join(f"{state} {number}" for state, number in sorted(node.states().items())) or "empty")
            node.kill()
            node.start(wait=False)
        _join(sender, failures)


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
        sender, failures = _push_aside(list(sent.values()), node.port)
        wait_until(lambda: _refused_for_room(node) > 0, 300, "a refusal of the full spool")
        time.sleep(5)
        remarks.append(f"{_refused_for_room(node)} refused with 0xA700, then taken")
        filler.unlink()
        _join(sender, failures)


def hostile_sender(bench: Bench) -> None:
    """Ask with wrong titles, for 10,000 associations, pour garbage, forge sizes; a known sender sends all the while."""
    with bench.fault("hostile sender") as (node, sent, remarks):
        node.start()
        sender, failures = _push_aside(list(sent.values()), node.port)
        remarks.append(f"{hostile.wrong_titles(node.port)} of 3 wrong titles accepted")
        hostile.forge_sizes(node.port)
        hostile.pour_garbage(node.port, GARBAGE_MIB)
        remarks.append(f"{ASSOCIATIONS} associations in {hostile.flood(node.port, ASSOCIATIONS):.0f} s")
        _join(sender, failures)


FAULTS: Mapping[str, Callable[[Bench], None]] = {
    function.__name__: function
    for function in (
        *(push_from_orthanc, push_from_pynetdicom, duplicates, late, receiver_down, receiver_refuses, dicom_web),
        *(killed_while_receiving, killed_while_queued, killed_while_scoring, killed_when_scored, killed_while_sending),
        *(killed_anywhere, disk_full, hostile_sender),
    )
}


def _kill_at(node: Node, state: str, remarks: list[str]) -> None:
    """Kill a node when a job is in a state, and start it whole."""
    wait_until(
        lambda: node.states()[state] > 0 or sum(node.states().values()) == node.states()["done"], 300, state, 0.005
    )
    remarks.append(f"killed at {node.states()[state]} {state}")
    node.kill()
    node.start()


def _push_aside(paths: list[Path], port: int) -> tuple[threading.Thread, list[ValueError]]:
    """Send in a thread; return it, and the list that gets its failure."""
    failures: list[ValueError] = []

    def push() -> None:
        try:
            push_by_pynetdicom(paths, port, seconds=900)
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=push)
    thread.start()
    return thread, failures


def _join(sender: threading.Thread, failures: list[ValueError]) -> None:
    sender.join()
    if failures:
        raise failures[0]


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
        print(HEADINGS, "|---" * 7 + "|", sep="\n")
        failed = []
        for name in names or FAULTS:
            try:
                FAULTS[name](bench)
            except ValueError as error:  # the others still have something to tell
                print(f"| {name} | | {error} | | | | |", flush=True)
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
    sys.exit(main())
