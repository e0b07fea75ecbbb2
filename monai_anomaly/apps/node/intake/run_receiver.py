# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The receiver: what brings files to the node."""

from __future__ import annotations

import errno
import logging
import threading
from functools import partial

from monai_anomaly.apps.node.configuration.sections import DicomSettings, NodeSettings
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.intake.dicom_receiver import DicomReceiver
from monai_anomaly.apps.node.intake.refusals import CountedRefusals
from monai_anomaly.apps.node.intake.taking import Refusals
from monai_anomaly.apps.node.intake.watched_folder import WatchedFolder
from monai_anomaly.apps.node.opening import open_database, open_spool
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.tls import server_context

__all__ = ["run_receiver"]

LOOK_SECONDS = 0.5

logger = logging.getLogger("monai_anomaly.node")


def run_receiver(settings: NodeSettings, detector: int, stopping: Stopping) -> None:
    """Take files in until it is told to stop.

    Args:
        settings: of the node.
        detector: number of the detector whose jobs are made.
        stopping: when to end.

    Raises:
        ConfigError: when the address cannot be listened on, or a file of TLS is not what it should be.
        OSError: when it listens no more.
    """
    database, spool = open_database(settings), open_spool(settings)
    custody = Custody(database, spool, detector, settings.queue.max_waiting)
    refusals = CountedRefusals(custody.refuse)
    threading.excepthook = partial(_note_failure, refusals)
    receiver = None if settings.dicom is None else _receiver(settings.dicom, custody, refusals, spool)
    watched = _watched(settings, custody, refusals, spool)
    if receiver is not None:
        receiver.start()
        logger.info("receiver: listening")
    said = ""
    while not stopping.wait(LOOK_SECONDS):
        if watched is not None:
            said = _look(watched, stopping, said)
        refusals.enter()
        if receiver is not None and not receiver.is_listening:
            raise OSError(errno.EIO, "it listens no more")  # a new process does
    if receiver is not None:
        receiver.stop()
    refusals.enter()
    database.close()


def _look(watched: WatchedFolder, stopping: Stopping, said: str) -> str:
    """Look into the watched folder, say what is wrong with it unless that was said already, and return it."""
    try:
        watched.look(stopping.is_asked)
    except Exception as error:  # of its disk, or of the database: the files stay, and associations go on
        reason = getattr(error, "strerror", None) or type(error).__name__
        if reason != said:
            logger.error("receiver: the watched folder: %s", reason)
        return str(reason)
    return ""


def _note_failure(refusals: Refusals, failure: threading.ExceptHookArgs) -> None:
    """Say in one line what a hostile sender made a thread of pynetdicom raise: a traceback's text may hold values."""
    logger.error("receiver: a connection failed (%s)", failure.exc_type.__name__)
    refusals("dimse", "failed")


def _receiver(settings: DicomSettings, custody: Custody, refusals: Refusals, spool: Spool) -> DicomReceiver:
    tls = settings.tls
    context = None
    if tls is not None and tls.certificate is not None and tls.key is not None:
        context = server_context(tls.certificate, tls.key, tls.ca)
    return DicomReceiver(
        custody,
        refusals,
        folder=spool.incoming,
        title=settings.title,
        calling_titles=settings.calling_titles,
        host=settings.host,
        port=settings.port,
        associations=settings.associations,
        max_bytes=settings.max_bytes,
        idle_seconds=settings.idle_seconds,
        tls=context,
    )


def _watched(settings: NodeSettings, custody: Custody, refusals: Refusals, spool: Spool) -> WatchedFolder | None:
    if settings.watch is None:
        return None
    settings.watch.folder.mkdir(parents=True, exist_ok=True)
    return WatchedFolder(
        settings.watch.folder,
        spool.incoming,
        custody,
        refusals,
        settle_seconds=settings.watch.settle_seconds,
        max_bytes=settings.dicom.max_bytes if settings.dicom is not None else DicomSettings().max_bytes,
    )
