# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The C-STORE receiver."""

from __future__ import annotations

import logging
import ssl
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config, evt

from monai_anomaly.apps.node.intake.bounded_dimse import BoundedDimse
from monai_anomaly.apps.node.intake.bounded_server import PDU_BYTES, BoundedServer
from monai_anomaly.apps.node.intake.identity import is_uid
from monai_anomaly.apps.node.intake.incoming import remove_leftovers
from monai_anomaly.apps.node.intake.storage import receiver_contexts
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError, Refusals, Taker
from monai_anomaly.apps.node.prompt_sockets import prompt_handlers

__all__ = ["DicomReceiver"]

SUCCESS, NO_ROOM, WRONG_CLASS, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000

logger = logging.getLogger("monai_anomaly.node")


class DicomReceiver:
    """Answer C-ECHO and C-STORE; success is said only after custody was taken.

    Args:
        take: takes custody.
        refused: counts what is refused.
        folder: where objects are written while they come in; in the spool's file system.
        title: the node's own; a sender that calls another is refused.
        calling_titles: of known senders; empty means any.
        host: the address to listen on.
        port: to listen on; 0 takes a free one.
        associations: at a time.
        max_bytes: of one object.
        idle_seconds: after which a silent sender is cut off.
        tls: a server's context, or None.
    """

    def __init__(
        self,
        take: Taker,
        refused: Refusals,
        *,
        folder: Path,
        title: str,
        calling_titles: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 11112,
        associations: int = 10,
        max_bytes: int = 2 << 30,
        idle_seconds: float = 60.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._take = take
        self._refused = refused
        self._bounds: dict[str, Any] = {"folder": folder, "max_bytes": max_bytes, "idle_seconds": idle_seconds}
        self._address = (host, port)
        self._tls = tls
        self._entity = AE(title)
        self._entity.supported_contexts = receiver_contexts()
        self._entity.require_called_aet = True
        self._entity.require_calling_aet = list(calling_titles)
        self._entity.maximum_associations = associations
        self._entity.maximum_pdu_size = PDU_BYTES
        self._entity.network_timeout = idle_seconds
        self._entity.acse_timeout = min(30.0, idle_seconds)
        self._entity.dimse_timeout = idle_seconds
        self._server: BoundedServer | None = None
        self._thread = threading.Thread()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def is_listening(self) -> bool:
        """Whether it takes connections."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Listen, in threads of its own.

        Raises:
            OSError: the address cannot be had.
        """
        # These log titles, identifiers and values of headers: none of it may reach a log.
        for name in ("pynetdicom", "pydicom"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        warnings.filterwarnings("ignore", module="pydicom")
        _config.LOG_HANDLER_LEVEL = "none"
        remove_leftovers(self._bounds["folder"])
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_REJECTED, self._rejected),
            *prompt_handlers(),
            *((event, _discard) for event in (evt.EVT_CONN_CLOSE, evt.EVT_ABORTED, evt.EVT_RELEASED)),
        ]
        self._server = BoundedServer(
            self._entity,
            self._address,
            ssl_context=self._tls,
            evt_handlers=handlers,
            refused=self._count,
            **self._bounds,
        )
        self._entity._servers.append(self._server)  # as start_server does; shutdown ends it
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="dicom-receiver", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End all associations and listen no more."""
        self._entity.shutdown()

    def _count(self, code: str) -> None:
        """Count a refusal."""
        self._refused("dimse", code)

    def _rejected(self, event: evt.Event) -> None:
        """Count an association that was refused by its titles or because there were too many."""
        self._count("association_rejected")

    def _store(self, event: evt.Event) -> int:
        """Take an object in and return the status of the answer."""
        dimse: Any = event.assoc.dimse
        request: Any = event.request
        path, whole = dimse.take(request.DataSet.getvalue())
        try:
            if not whole:
                raise NoRoomError
            _check(request, event.context.abstract_syntax)
            self._take(path, f"dimse:{event.assoc.requestor.ae_title}", str(request.AffectedSOPInstanceUID))
        except (NoRoomError, OSError):
            self._count("no_room")
            return NO_ROOM
        except NotTakenError as error:
            self._count(error.code)
            return WRONG_CLASS if error.code == "wrong_class" else NOT_UNDERSTOOD
        except Exception as error:  # custody's fault, not the sender's: it keeps its object and tries again
            logger.error("receiver: taking an object in failed (%s)", type(error).__name__)
            self._count("failed")
            return NO_ROOM
        finally:
            path.unlink(missing_ok=True)
        return SUCCESS


def _check(request: Any, abstract_syntax: str) -> None:
    """Refuse a request whose identifiers cannot be right."""
    if request.AffectedSOPClassUID != abstract_syntax:
        raise NotTakenError("wrong_class")
    if not is_uid(str(request.AffectedSOPInstanceUID)):
        raise NotTakenError("bad_uid")


def _discard(event: evt.Event) -> None:
    """Remove what an association left."""
    dimse = event.assoc.dimse
    if isinstance(dimse, BoundedDimse):
        dimse.discard()
