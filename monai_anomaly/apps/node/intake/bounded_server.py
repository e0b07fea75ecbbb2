# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A server of associations with bounds on connections, on the length of a PDU and on the time that each may take."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from monai_anomaly.apps.node.intake.bounded_dimse import BoundedDimse
from monai_anomaly.apps.node.intake.bounded_dul import BoundedDul

__all__ = ["PDU_BYTES", "BoundedServer"]

PDU_BYTES = 128 * 1024  # what the node tells senders
PDU_SLACK = 4 * 1024  # of a request for an association with many contexts
SPARE = 10  # connections beyond the associations, which get a polite refusal
RECEIVE_BYTES = 64 * 1024
SILENT_SECONDS = 1.0  # within which a sender asks for its association, when others wait for its place


class BoundedSocket(AssociationSocket):
    """Read a PDU whole in a limited time, and none that is longer than the node said."""

    idle_seconds: float = 60.0
    refused: Callable[[str], None]

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, or fewer if the peer closed.

        Args:
            nr_bytes: as the PDU's header says.

        Raises:
            OSError: the length is not one that the node allows, or the time is over.
        """
        if nr_bytes > PDU_BYTES + PDU_SLACK or self.socket is None:
            self.refused("bad_pdu")
            raise ConnectionAbortedError("a PDU longer than allowed")
        end = time.monotonic() + self.idle_seconds
        content = bytearray()
        while len(content) < nr_bytes:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("a PDU that does not end")
            self.socket.settimeout(left)
            part = self.socket.recv(min(nr_bytes - len(content), RECEIVE_BYTES))
            if not part:
                break
            content += part
        if self.socket is not None:
            self.socket.settimeout(self.idle_seconds)  # of an answer that the peer does not read
        return content


class BoundedHandler(RequestHandler):
    """Make the association of a connection, with bounded messages."""

    server: BoundedServer

    def handle(self) -> None:
        """Do the TLS handshake, here and not in the thread that accepts, then start the association."""
        self.request.settimeout(self.server.idle_seconds)
        if isinstance(self.request, ssl.SSLSocket):
            try:
                self.request.do_handshake()
            except OSError:
                self.server.refused("tls")
                self.server.forget(self.request)
                return
        super().handle()

    def _create_association(self) -> Association:
        """Return the association, with our upper layer, socket and messages in place of pynetdicom's."""
        association = super()._create_association()
        association.dul = BoundedDul(association, self.server.refused)
        association.acse_timeout, association.network_timeout = self.server.ae.acse_timeout, self.server.idle_seconds
        bounded = BoundedSocket(association, client_socket=self.request)
        bounded.idle_seconds = self.server.idle_seconds
        bounded.refused = self.server.refused
        association.dul.socket = bounded
        server = self.server
        server.connections[self.request] = association
        association.dimse = BoundedDimse(association, server.folder, server.max_bytes, server.refused)
        return association


class BoundedServer(ThreadedAssociationServer):
    """Accept connections, up to a number.

    Args:
        entity: the application entity, with its title, contexts and number of associations.
        address: to listen on.
        ssl_context: of TLS, or None.
        evt_handlers: pynetdicom's events and who handles them.
        folder: where objects are written while they come in.
        max_bytes: of one object.
        idle_seconds: after which a silent connection is closed.
        refused: called with a code for what is refused here.
    """

    request_queue_size = 64

    def __init__(
        self,
        entity: ApplicationEntity,
        address: tuple[str, int],
        *,
        ssl_context: ssl.SSLContext | None,
        evt_handlers: list[evt.EventHandlerType],
        folder: Path,
        max_bytes: int,
        idle_seconds: float,
        refused: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.idle_seconds = idle_seconds
        self.refused = refused
        self.connections: dict[socket.socket, Association | float] = {}  # since when, until it is an association
        contexts = entity.supported_contexts
        super().__init__(entity, address, entity.ae_title, contexts, ssl_context, evt_handlers, BoundedHandler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection; the handshake is for the connection's own thread."""
        assert self.socket is not None
        client, address = self.socket.accept()
        if self.ssl_context is not None:
            client = self.ssl_context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return client, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Count a connection whose association could not be made; the stock method prints the peer's address."""
        self.refused("failed")
        self.connections.pop(request, None)  # which the caller closes

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Say whether there is room for one more connection; pynetdicom refuses the last few politely itself."""
        for connection, association in list(self.connections.items()):
            if not isinstance(association, float) and association.ident is not None and not association.is_alive():
                self.forget(connection)  # pynetdicom leaves it open when the peer closed first
        if len(self.connections) >= self.ae.maximum_associations:
            self._end_silent()
        if len(self.connections) < self.ae.maximum_associations + SPARE:
            self.connections[request] = time.monotonic()
            return True
        self.refused("too_many_connections")
        return False

    def _end_silent(self) -> None:
        """End the connection that has kept a place for longest without asking for an association."""
        now = time.monotonic()
        for connection, association in list(self.connections.items()):  # the oldest is the first
            if now - _silent_since(association, now) >= SILENT_SECONDS:
                self.refused("silent")
                with suppress(OSError):  # it has ended itself
                    connection.shutdown(socket.SHUT_RDWR)  # its own thread reads its end
                return

    def forget(self, connection: socket.socket) -> None:
        """Close a connection that has ended.

        Args:
            connection: one of those that were accepted.
        """
        self.connections.pop(connection, None)
        self.shutdown_request(connection)


def _silent_since(association: Association | float, now: float) -> float:
    """Return when a connection began that has asked for no association yet; `now` of one that has."""
    if isinstance(association, float):  # in its handshake
        return association
    dul = association.dul
    return dul.since if isinstance(dul, BoundedDul) and dul.is_silent else now
