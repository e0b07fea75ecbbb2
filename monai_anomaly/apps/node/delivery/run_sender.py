# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The sender: a thread for each destination, so that one that is down holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from sqlalchemy import func, or_, select

from monai_anomaly.apps.node.configuration.sections import Destination, NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.leases import LEASE_SECONDS, release
from monai_anomaly.apps.node.database.queue import accept_deliveries, next_deliveries, postpone_delivery
from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, now
from monai_anomaly.apps.node.delivery.parcel import Parcel
from monai_anomaly.apps.node.delivery.pauses import pause_after
from monai_anomaly.apps.node.delivery.store_sender import StoreSender
from monai_anomaly.apps.node.delivery.stow_sender import StowSender
from monai_anomaly.apps.node.opening import open_database, owner_name
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.tls import client_context
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.file_digest import file_digest

__all__ = ["Deliverer", "run_sender"]

IDLE_SECONDS, FAILED_SECONDS = 0.25, 5.0  # an association takes as long as several objects: those of a moment share one
BATCH = 64  # objects
ENTER_SECONDS = 0.5  # until an acceptance is entered: one by one that would take longer than the sending

logger = logging.getLogger("monai_anomaly.node")


def run_sender(settings: NodeSettings, stopping: Stopping) -> None:
    """Send what waits until it is told to stop; an object on its way is finished first."""
    database = open_database(settings)
    _name_forgotten(settings, database)
    threads = [
        threading.Thread(target=_send_to, args=(settings, each, database, stopping), name=each.name)
        for each in settings.destinations
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while not threads and not stopping.wait(1.0):  # nowhere to send to
        pass
    database.close()


def _send_to(settings: NodeSettings, destination: Destination, database: Database, stopping: Stopping) -> None:
    deliverer: Deliverer | None = None
    while not stopping.is_asked():
        try:
            deliverer = deliverer or Deliverer(settings, destination, database, owner_name())
            sent = deliverer.send_some(stopping)
        except Exception as error:  # of the database, of a certificate, or a fault: what waits must not do so for ever
            reason = error if isinstance(error, ConfigError) else type(error).__name__
            logger.error("sender: %s: %s", destination.name, reason)
            stopping.wait(FAILED_SECONDS)
            continue
        if sent == 0:
            stopping.wait(IDLE_SECONDS)


def _name_forgotten(settings: NodeSettings, database: Database) -> None:
    """Say which destinations are waited for that the settings have no more: their jobs would never end unseen."""
    query = select(Delivery.destination, func.count()).where(Delivery.state == DeliveryState.WAITING)
    with database.read() as session:
        waiting = session.execute(query.group_by(Delivery.destination)).all()
    known = {destination.name for destination in settings.destinations}
    for name, number in waiting:
        if name not in known:
            logger.error("sender: %d results wait for '%s', which is not in the settings any more", number, name)


class Deliverer:
    """Sends to one destination.

    Args:
        settings: of the node.
        destination: one of them.
        database: of the node.
        owner: the name of its leases.

    Raises:
        ConfigError: when a file of its TLS cannot be read.
    """

    def __init__(self, settings: NodeSettings, destination: Destination, database: Database, owner: str) -> None:
        self._folder, self._name = settings.folder, destination.name
        self._database, self._owner = database, owner
        self._sender = _sender(settings, destination)
        self._held: set[int] = set()

    def send_some(self, stopping: Stopping | None = None) -> int:
        """Send a batch of what is due, and return how many there were; those that the end interrupts are put back."""
        self._put_back()  # where the database was away before
        if not self._is_any_due():
            return 0
        try:
            return self._send_batch(stopping)
        finally:
            self._put_back()

    def _send_batch(self, stopping: Stopping | None) -> int:
        with self._database.begin() as session:
            found = next_deliveries(session, self._name, self._owner, lease_seconds=LEASE_SECONDS, most=BATCH)
            attempts = {delivery.id: delivery.attempts + 1 for delivery in found}
        self._held = set(attempts)
        parcels = []
        for delivery in found:
            try:
                parcels.append(_parcel(self._folder, delivery))
            except OSError:
                self._postpone(delivery.id, "no_file", attempts[delivery.id])
            except ValueError:
                self._postpone(delivery.id, "damaged", attempts[delivery.id])
        accepted: dict[int, str] = {}
        entered = time.monotonic()
        try:
            for parcel, outcome in self._sender.send(parcels) if parcels else ():
                if outcome.accepted:
                    accepted[parcel.id] = outcome.code
                else:
                    self._postpone(parcel.id, outcome.code, attempts[parcel.id])
                if stopping is not None and stopping.is_asked():
                    break
                if time.monotonic() - entered > ENTER_SECONDS:
                    self._accept(accepted)
                    entered = time.monotonic()
        finally:
            self._accept(accepted)
        return len(found)

    def _accept(self, accepted: dict[int, str]) -> None:
        """Enter together what was accepted; what a kill keeps from being entered is sent again, the same bytes."""
        if accepted:
            with self._database.begin() as session:
                accept_deliveries(session, accepted)
            self._held.difference_update(accepted)
            accepted.clear()

    def _put_back(self) -> None:
        """Give leases back that were not needed; as long as the process lives they would not run out."""
        if self._held:
            with self._database.begin() as session:
                release(session, self._owner)
            self._held.clear()

    def _postpone(self, delivery: int, code: str, attempts: int) -> None:
        with self._database.begin() as session:
            postpone_delivery(session, delivery, self._owner, code, pause_seconds=pause_after(attempts))
        self._held.discard(delivery)

    def _is_any_due(self) -> bool:
        at = now()
        free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < at)
        due = (Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at <= at, free)
        return self._database.has_any(select(Delivery.id).where(Delivery.destination == self._name, *due))


def _sender(settings: NodeSettings, destination: Destination) -> StoreSender | StowSender:
    if destination.dicomweb is not None:
        web = destination.dicomweb
        return StowSender(web.url, token_file=web.token_file, ca=web.ca)
    assert destination.dicom is not None  # the settings were checked
    dicom, tls = destination.dicom, destination.dicom.tls
    return StoreSender(
        title=dicom.title,
        host=dicom.host,
        port=dicom.port,
        own_title=settings.dicom.title if settings.dicom is not None else "ANOMALY",
        tls=None if tls is None else client_context(tls.ca, tls.certificate, tls.key),
    )


def _parcel(folder: Path, delivery: Delivery) -> Parcel:
    """Return what is to be sent.

    Raises:
        OSError: when its file cannot be read.
        ValueError: when its file is not what the worker wrote.
    """
    path = folder / delivery.path
    if file_digest(path) != delivery.digest:
        raise ValueError("other bytes than were written")
    syntax = str(read_file_meta_info(path).TransferSyntaxUID)
    return Parcel(delivery.id, path, delivery.sop_class_uid, delivery.sop_instance_uid, syntax)
