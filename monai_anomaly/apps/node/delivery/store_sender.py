# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sends objects by C-STORE, many over one association, with the bytes that they have on disk."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association

from monai_anomaly.apps.node.delivery.parcel import Outcome, Parcel
from monai_anomaly.apps.node.prompt_sockets import prompt_handlers

__all__ = ["StoreSender"]

MOST_CONTEXTS = 128  # of an association (PS3.8 9.3.2.2)


@dataclass(frozen=True)
class StoreSender:
    """Send to one receiver.

    Args:
        title: of the receiver.
        host: of the receiver, as its certificate names it.
        port: of the receiver.
        own_title: the node's.
        seconds: how long to wait for a connection and for each answer.
        tls: a client's context, or None.
    """

    title: str
    host: str
    port: int
    own_title: str
    seconds: float = 30.0
    tls: ssl.SSLContext | None = None

    def send(self, parcels: Sequence[Parcel]) -> Iterator[tuple[Parcel, Outcome]]:
        """Send objects and yield what the receiver said to each, at once, so that no answer is lost.

        When the receiver is gone the parcels that are left get its absence as their outcome.

        Args:
            parcels: what to send, in this order.
        """
        # pynetdicom logs titles and, with an exception, values: none of it may reach a log.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        _config.LOG_HANDLER_LEVEL = "none"
        _config.STORE_SEND_CHUNKED_DATASET = True  # the file's bytes as they are, piece by piece
        association = self._associate(parcels)
        try:
            for parcel in parcels:
                yield parcel, _send_one(association, parcel)
        finally:
            if association.is_established:
                association.release()

    def _associate(self, parcels: Sequence[Parcel]) -> Association:
        """Ask for an association with a context for each class and syntax that is waiting."""
        entity = AE(self.own_title)
        entity.connection_timeout = entity.acse_timeout = self.seconds
        entity.dimse_timeout = entity.network_timeout = self.seconds
        wanted = dict.fromkeys((parcel.sop_class_uid, parcel.transfer_syntax_uid) for parcel in parcels)
        # One context for each pair: a receiver takes one syntax of a context only.
        contexts = [build_context(*pair) for pair in list(wanted)[:MOST_CONTEXTS]]
        return entity.associate(
            self.host,
            self.port,
            contexts=contexts,
            ae_title=self.title,
            evt_handlers=prompt_handlers(),
            tls_args=None if self.tls is None else (self.tls, self.host),
        )


def _send_one(association: Association, parcel: Parcel) -> Outcome:
    """Send one object."""
    if not association.is_established:
        return Outcome(False, "association_rejected" if association.is_rejected else "no_connection")
    try:
        answer = association.send_c_store(parcel.path)
    except ValueError:  # the receiver takes no object of this class and syntax
        return Outcome(False, "no_context")
    except OSError:
        return Outcome(False, "no_file")
    except RuntimeError:  # the association ended between the look above and the sending
        return Outcome(False, "no_connection")
    if "Status" not in answer:
        association.abort()  # a late answer must not be taken for the next object's
        return Outcome(False, "no_answer")
    status = int(answer.Status)
    return Outcome(status == 0 or status & 0xF000 == 0xB000, f"0x{status:04X}")  # 0xBxxx: stored, with a remark
