# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node as a whole: its processes, each of which may die and is started again."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.queue import release
from monai_anomaly.apps.node.delivery.pauses import pause_after
from monai_anomaly.apps.node.opening import machine_name, open_database, open_spool
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.work.retention import remove_old
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["PARTS", "serve"]

PARTS = ("receiver", "worker", "sender", "web")
KEEP_SECONDS = 3600.0
END_SECONDS = 10.0
STEADY_SECONDS = 60.0

logger = logging.getLogger("monai_anomaly.node")


def serve(settings: NodeSettings, parts: Sequence[str] = PARTS) -> None:
    """Run the node until SIGTERM or Ctrl-C.

    Args:
        settings: of the node.
        parts: what of it runs on this machine.

    Raises:
        ConfigError: when another node runs in the folder, or the detector, the database or an address cannot be had.
    """
    _log_to_stderr()
    lock = FolderLock({"folder": settings.folder / "locks" / machine_name()})
    (settings.folder / "locks" / machine_name()).mkdir(parents=True, exist_ok=True)
    lock.acquire()
    context = multiprocessing.get_context("spawn")  # threads and PyTorch do not survive a fork
    asked = _watch_signals()
    database, spool = open_database(settings), open_spool(settings)
    with database.begin() as session:
        release(session, machine_name())  # of processes of an earlier run, which are no more
    detector = _in_child(context, _find_detector, settings)
    children = _Children(context)
    if "receiver" in parts and (settings.dicom is not None or settings.watch is not None):
        children.add("receiver", (settings, detector))
    if "worker" in parts:
        for number in range(settings.workers.number):
            children.add(f"worker {number}", (settings,))
    if "sender" in parts:
        children.add("sender", (settings,))
    if "web" in parts and settings.web is not None:
        children.add("web", (settings, detector))
    kept = 0.0
    try:
        while not asked:
            time.sleep(0.2)
            for process in children.look():
                with database.begin() as session:  # at once: what it held would wait until its lease runs out
                    release(session, f"{machine_name()}:{process}")
            if "worker" in parts and time.monotonic() - kept > KEEP_SECONDS:
                kept = time.monotonic()
                remove_old(settings, database, spool)
    finally:
        children.end()
        database.close()


def _watch_signals() -> list[int]:
    """Return what is empty until a signal asks for the end; setting the event in its handler could wait for itself."""
    asked: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _: asked.append(number))
    return asked


class _Children:
    """Processes that are started again when they die, after pauses that grow while they die young."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._arguments: dict[str, tuple[Any, ...]] = {}
        self._processes: dict[str, BaseProcess] = {}
        self._pipes: dict[str, Connection] = {}  # closing one asks for the end; the system does it where this is killed
        self._started: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def add(self, name: str, arguments: tuple[Any, ...]) -> None:
        self._arguments[name] = arguments
        self._start(name)

    def look(self) -> list[int]:
        """Start again what has died; return the numbers of the processes that were not known to be dead."""
        at, dead = time.monotonic(), []
        for name, process in list(self._processes.items()):
            if process.is_alive():
                continue
            if name not in self._next:
                young = at - self._started[name] < STEADY_SECONDS
                self._deaths[name] = self._deaths.get(name, 0) + 1 if young else 1
                self._next[name] = at + pause_after(self._deaths[name])
                logger.error("%s ended with code %s and is started again", name, process.exitcode)
                dead.append(process.pid or 0)
            elif at >= self._next[name]:
                del self._next[name]
                self._start(name)
        return dead

    def end(self) -> None:
        """Wait for all, and kill what does not end."""
        for pipe in self._pipes.values():
            pipe.close()
        until = time.monotonic() + END_SECONDS
        for process in self._processes.values():
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _start(self, name: str) -> None:
        reading, writing = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_run, args=(name, self._arguments[name], reading), name=name)
        process.start()
        reading.close()
        if name in self._pipes:
            self._pipes[name].close()
        self._pipes[name] = writing
        self._processes[name], self._started[name] = process, time.monotonic()


def _run(name: str, arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Be a process of the node; only here is imported what it needs."""
    for number in (signal.SIGINT, signal.SIGTERM):  # terminals and systemd tell all: the supervisor says when
        signal.signal(number, signal.SIG_IGN)
    _log_to_stderr()
    try:
        _part(name)(*arguments, Stopping(pipe))
    except (ConfigError, OSError) as error:
        logger.error("%s: %s", name, error if isinstance(error, ConfigError) else error.strerror)
        sys.exit(1)


def _part(name: str) -> Callable[..., None]:
    """Import a part, and nothing of the others: the receiver needs no PyTorch, and the worker no network."""
    if name == "receiver":
        from monai_anomaly.apps.node.intake.run_receiver import run_receiver

        return run_receiver
    if name == "sender":
        from monai_anomaly.apps.node.delivery.run_sender import run_sender

        return run_sender
    if name == "web":
        from monai_anomaly.apps.node.web.run_web import run_web

        return run_web
    from monai_anomaly.apps.node.work.score_jobs import run_worker

    return run_worker


def _in_child(context: Any, function: Callable[[Connection, NodeSettings], None], settings: NodeSettings) -> Any:
    """Return what a function says in a process of its own, so that this one stays small."""
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=function, args=(there, settings))
    process.start()
    there.close()
    try:
        said = here.recv()
    except EOFError:
        raise ConfigError("the detector cannot be opened: its process ended without a word.") from None
    finally:
        process.join()
    if isinstance(said, str):
        raise ConfigError(said)
    return said


def _find_detector(there: Connection, settings: NodeSettings) -> None:
    """Say the number of the detector's row, or the sentence of an error."""
    from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector
    from monai_anomaly.utils.exceptions import AuditError, CalibrationError, CheckpointError

    try:
        database = open_database(settings)
        there.send(register_detector(database, open_node_detector(settings)))
        database.close()
    except (AuditError, CalibrationError, CheckpointError, ConfigError, ValueError) as error:
        there.send(str(error))


def _log_to_stderr() -> None:
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
    logger.propagate = False
