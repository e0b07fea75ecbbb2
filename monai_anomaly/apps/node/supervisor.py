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
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from monai_anomaly.apps.node.children import Children, Death
from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.heartbeats import announce, note_death, withdraw
from monai_anomaly.apps.node.database.leases import recover, release
from monai_anomaly.apps.node.opening import machine_name, open_database, open_spool, process_name
from monai_anomaly.apps.node.pulse import keep_pulse
from monai_anomaly.apps.node.stopping import END_SECONDS, Stopping
from monai_anomaly.apps.node.work.known_detector import detector_key, recall_detector, remember_detector
from monai_anomaly.apps.node.work.retention import remove_old
from monai_anomaly.utils.exceptions import AuditError, CalibrationError, CheckpointError, ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["PARTS", "serve"]

PARTS = ("receiver", "worker", "sender", "web")
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.2
KEEP_SECONDS = 3600.0

logger = logging.getLogger("monai_anomaly.node")


def serve(settings: NodeSettings, parts: Sequence[str] = PARTS) -> None:
    """Run the node until SIGTERM or Ctrl-C, which end it within 10 s; what was not done is in the queue then.

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
    for number in SIGNALS:  # a start takes seconds, and waits where only an exception interrupts it
        signal.signal(number, signal.default_int_handler)
    database = open_database(settings)
    with database.begin() as session:
        recover(session, machine_name())
    children = Children()
    try:
        _start_all(children, settings, database, _names(settings, parts))
        _look_after(children, settings, database, _watch_signals(), keeps="worker" in parts)
    except KeyboardInterrupt:  # in the start
        pass
    finally:
        _watch_signals()
        children.end(END_SECONDS)
        _put_back(database)
        database.close()


def _start_all(children: Children, settings: NodeSettings, database: Database, names: Sequence[str]) -> None:
    workers = multiprocessing.get_context("forkserver")
    workers.set_forkserver_preload(["monai_anomaly.apps.node.work.preloaded"])
    others = multiprocessing.get_context("spawn")  # light, and none of them has PyTorch
    key = detector_key(settings.detector)
    detector = recall_detector(database, key)
    if detector is None:
        detector = _in_child(workers, _find_detector, settings)
        remember_detector(database, key, detector)
    with database.begin() as session:
        announce(session, machine_name(), names)
    for name in sorted(names, key=lambda name: name.startswith("worker")):  # the first worker waits for its imports
        arguments = (settings, detector) if name in ("receiver", "web") else (settings,)
        children.add(name, workers if name.startswith("worker") else others, _run, arguments)


def _names(settings: NodeSettings, parts: Sequence[str]) -> list[str]:
    """Return the processes of this machine."""
    names = []
    if "receiver" in parts and (settings.dicom is not None or settings.watch is not None):
        names.append("receiver")
    if "worker" in parts:
        names += [f"worker {number}" for number in range(settings.workers.number)]
    if "sender" in parts:
        names.append("sender")
    if "web" in parts and settings.web is not None:
        names.append("web")
    return names


def _look_after(
    children: Children, settings: NodeSettings, database: Database, asked: Sequence[int], *, keeps: bool
) -> None:
    """Go on until a signal asks for the end; the database may be away for a while.

    Args:
        children: the parts.
        settings: of the node.
        database: of the node.
        asked: not empty when the end is wanted.
        keeps: remove what is old, too.
    """
    spool, unreleased = open_spool(settings), list[Death]()
    keep_at = time.monotonic()
    while not asked:
        time.sleep(LOOK_SECONDS)
        unreleased += children.look()
        try:
            if unreleased:
                _bury(database, unreleased)
                unreleased.clear()
            if keeps and time.monotonic() >= keep_at and not any(remove_old(settings, database, spool)):
                keep_at = time.monotonic() + KEEP_SECONDS
        except (SQLAlchemyError, OSError) as error:
            logger.error("supervisor: %s", type(error).__name__)
            time.sleep(LOOK_SECONDS * 5)


def _bury(database: Database, deaths: Sequence[Death]) -> None:
    """Put back at once what the dead held: else it would wait until their leases run out."""
    with database.begin() as session:
        for death in deaths:
            release(session, process_name(death.process))
            note_death(session, machine_name(), death.name, death.number)


def _put_back(database: Database) -> None:
    """Put back what the end interrupted; that is no attempt."""
    try:
        with database.begin() as session:
            release(session, machine_name(), attempt_counts=False)
            withdraw(session, machine_name())
    except SQLAlchemyError as error:  # then the leases run out
        logger.error("supervisor: %s", type(error).__name__)


def _watch_signals() -> list[int]:
    """Return what is empty until a signal asks for the end; setting an event in its handler could wait for itself."""
    asked: list[int] = []
    for name in SIGNALS:
        signal.signal(name, lambda number, _: asked.append(number))
    return asked


def _run(name: str, arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Be a process of the node; only here is imported what it needs."""
    for number in SIGNALS:  # terminals and systemd tell all: the supervisor says when
        signal.signal(number, signal.SIG_IGN)
    _log_to_stderr()
    stopping = Stopping(pipe)
    try:
        keep_pulse(arguments[0], name, stopping)
        _part(name)(*arguments, stopping)
    except (AuditError, CalibrationError, CheckpointError, ConfigError, OSError, SQLAlchemyError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        logger.error("%s: %s", name, type(error).__name__ if isinstance(error, SQLAlchemyError) else said)
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
    except KeyboardInterrupt:
        process.kill()
        raise
    finally:
        process.join()
    if isinstance(said, str):
        raise ConfigError(said)
    return said


def _find_detector(there: Connection, settings: NodeSettings) -> None:
    """Say the number of the detector's row, or the sentence of an error."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector

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
