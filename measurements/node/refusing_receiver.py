# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A receiver that refuses some times before it takes, and gives what it took to a PACS."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.transport import ThreadedAssociationServer

from measurements.node.servers.orthanc import Orthanc
from measurements.node.servers.private import free_port

__all__ = ["RefusingReceiver"]

NO_ROOM = 0xA700


class RefusingReceiver:
    """A receiver on loopback that refuses each object a number of times.

    Args:
        pacs: gets what was taken.
        refusals: how often each object is refused first.

    Attributes:
        refused: how often each object was refused, by its UID.
        taken: how often each object was taken.
    """

    title = "REFUSING"

    def __init__(self, pacs: Orthanc, refusals: int = 3) -> None:
        self.pacs, self.refusals, self.port = pacs, refusals, free_port()
        self.refused: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def __enter__(self) -> RefusingReceiver:
        entity = AE(self.title)
        entity.supported_contexts = AllStoragePresentationContexts
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store)]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        assert isinstance(server, ThreadedAssociationServer)
        self._server = server
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        uid = str(request.AffectedSOPInstanceUID)
        if self.refused[uid] < self.refusals:
            self.refused[uid] += 1
            return NO_ROOM
        self.pacs.upload(event.encoded_dataset())
        self.taken[uid] += 1
        return 0
