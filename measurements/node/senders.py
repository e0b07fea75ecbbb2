# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Senders of instances, which keep each of them until they are told that it was taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, build_context

from measurements.node.node import wait_until
from measurements.node.servers.orthanc import Orthanc

__all__ = ["push_aside", "push_by_orthanc", "push_by_pynetdicom"]


def push_by_pynetdicom(
    paths: Sequence[Path],
    port: int,
    *,
    associations: int = 4,
    seconds: float = 900.0,
    title: str = "SENDER",
    enough: threading.Event | None = None,
) -> dict[Path, float]:
    """Send files over several associations at a time, each again until it is taken.

    Args:
        paths: the files; one may be there twice.
        port: of the node.
        associations: how many at a time.
        seconds: after which it gives up.
        title: the sender's own.
        enough: set when it need not go on.

    Returns:
        When each was said to be taken, of ``time.time()``.

    Raises:
        ValueError: when some were not taken in that time.
    """
    taken: dict[Path, float] = {}
    enough = enough or threading.Event()
    shares = [list(paths[start::associations]) for start in range(associations)]
    end = time.monotonic() + seconds
    common = (port, title, taken, end, enough)
    threads = [threading.Thread(target=_send_until_taken, args=(share, *common), daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    missing = len(set(paths) - set(taken))
    if missing:
        raise ValueError(f"{missing} files were not taken in {seconds:.0f} s.")
    return taken


@contextmanager
def push_aside(paths: Sequence[Path], port: int, *, seconds: float = 900.0) -> Iterator[None]:
    """Send files, as :func:`push_by_pynetdicom`, beside what a ``with`` does; its end waits until all are taken.

    Raises:
        ValueError: when some were not taken in that time.
    """
    failures: list[ValueError] = []
    enough = threading.Event()

    def push() -> None:
        try:
            push_by_pynetdicom(paths, port, seconds=seconds, enough=enough)
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    try:
        yield
        thread.join()
    finally:
        enough.set()
    if failures:
        raise failures[0]


def _send_until_taken(
    waiting: list[Path], port: int, title: str, taken: dict[Path, float], end: float, enough: threading.Event
) -> None:
    pairs: dict[tuple[str, str], None] = {}
    for path in waiting:
        meta = read_file_meta_info(path)
        pairs[str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)] = None
    entity = AE(title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    while waiting and time.monotonic() < end and not enough.is_set():
        association = entity.associate("127.0.0.1", port, [build_context(*pair) for pair in pairs], ae_title="ANOMALY")
        while waiting and association.is_established and not enough.is_set():
            try:
                answer = association.send_c_store(dcmread(waiting[0]))
            except (RuntimeError, OSError):  # the node was killed
                break
            if answer.get("Status") != 0:
                break
            taken[waiting.pop(0)] = time.time()
        if association.is_established:
            association.release()
        elif waiting:
            time.sleep(0.5)


def push_by_orthanc(pacs: Orthanc, names: Sequence[str], *, associations: int = 4, seconds: float = 900.0) -> None:
    """Let Orthanc send instances to its modality ``node``, as several jobs at a time, each again until it succeeds.

    Args:
        pacs: has the instances.
        names: Orthanc's names of them.
        associations: how many jobs.
        seconds: after which it gives up.

    Raises:
        ValueError: when a job did not succeed in that time.
    """
    shares = [names[start::associations] for start in range(associations)]
    jobs = {pacs.push("node", share, wait=False): share for share in shares if share}

    def all_succeeded() -> bool:
        for job, share in list(jobs.items()):
            state = pacs.job(str(job))
            if state == "Success":
                del jobs[job]
            elif state == "Failure":  # as an operator does
                del jobs[job]
                jobs[pacs.push("node", share, wait=False)] = share
        return not jobs

    wait_until(all_succeeded, seconds, "Orthanc's sending")
