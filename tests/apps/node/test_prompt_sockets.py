# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Connections that wait for no timer: the options of the sockets on both sides, at both places that use them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt

from monai_anomaly.apps.node.delivery import store_sender
from monai_anomaly.apps.node.delivery.parcel import Parcel
from monai_anomaly.apps.node.intake import dicom_receiver
from monai_anomaly.apps.node.prompt_sockets import prompt_handlers


def is_prompt(event: evt.Event) -> bool:
    connection: Any = event.assoc.dul.socket
    return bool(connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def recorded(into: list[bool]) -> list[Any]:
    """Return the handlers, and one after them that looks at the socket."""
    return [*prompt_handlers(), (evt.EVT_DATA_SENT, lambda event: into.append(is_prompt(event)))]


@pytest.fixture
def listening() -> Iterator[tuple[AE, list[bool]]]:
    entity, seen = AE("PACS"), list[bool]()
    entity.add_supported_context(uid.UltrasoundImageStorage, uid.ExplicitVRLittleEndian)
    handlers: list[Any] = [(evt.EVT_C_STORE, lambda _: 0)]
    handlers.append((evt.EVT_DATA_SENT, lambda event: seen.append(is_prompt(event))))
    entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    yield entity, seen
    entity.shutdown()


def test_a_sender_of_ours_and_a_receiver_of_pynetdicom_s(
    listening: tuple[AE, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    entity, theirs = listening
    ours: list[bool] = []
    monkeypatch.setattr(store_sender, "prompt_handlers", lambda: recorded(ours))
    sender = store_sender.StoreSender("PACS", "127.0.0.1", entity._servers[0].server_address[1], "NODE")
    path = Path(str(get_testdata_file("examples_rgb_color.dcm", download=False)))
    parcel = Parcel(1, path, uid.UltrasoundImageStorage, "1.2.3", uid.ExplicitVRLittleEndian)
    assert [outcome.accepted for _, outcome in sender.send([parcel])] == [True]
    assert ours and all(ours)
    assert theirs and not any(theirs)  # which is why it has to be set


def test_a_receiver_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours: list[bool] = []
    monkeypatch.setattr(dicom_receiver, "prompt_handlers", lambda: recorded(ours))
    receiver = dicom_receiver.DicomReceiver(
        lambda *_: None, lambda *_: None, folder=tmp_path, title="NODE", calling_titles=["PACS"], port=0
    )
    receiver.start()
    try:
        caller = AE("PACS")
        caller.add_requested_context("1.2.840.10008.1.1")
        association = caller.associate("127.0.0.1", receiver.port, ae_title="NODE")
        assert association.is_established
        assert association.send_c_echo().Status == 0
        association.release()
    finally:
        receiver.stop()
    assert ours and all(ours)


def test_a_connection_that_is_closed_is_let_be() -> None:
    [handler] = {each[1] for each in prompt_handlers()}
    with socket.socket() as closed:
        closed.close()
        for connection in (None, type("", (), {"socket": None}), type("", (), {"socket": closed})):
            association = type("", (), {"dul": type("", (), {"socket": connection})})
            handler(type("", (), {"assoc": association}))
