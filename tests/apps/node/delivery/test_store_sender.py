# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""C-STORE out, against pynetdicom's own receiver."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt

from monai_anomaly.apps.node.delivery.parcel import Outcome, Parcel
from monai_anomaly.apps.node.delivery.store_sender import StoreSender


class Receiver:
    """Answers with the statuses that it is told, then with success."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[bytes] = []
        self.associations = 0
        self.entity = AE("PACS")
        self.entity.require_called_aet = True
        self.entity.add_supported_context(uid.UltrasoundImageStorage, uid.ExplicitVRLittleEndian)
        self.entity.add_supported_context(uid.UltrasoundMultiFrameImageStorage, uid.JPEGBaseline8Bit)

    def start(self, port: int = 0) -> int:
        handlers: list[Any] = [(evt.EVT_C_STORE, self.store), (evt.EVT_ESTABLISHED, self.count)]
        server = self.entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        assert server is not None
        return int(server.server_address[1])

    def count(self, event: evt.Event) -> None:
        self.associations += 1

    def store(self, event: evt.Event) -> int:
        status = self.statuses.pop(0) if self.statuses else 0
        if status == -1:
            event.assoc.abort()
        if status == 0:
            self.received.append(event.encoded_dataset(include_meta=False))
        return max(status, 0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.entity.shutdown()


def parcel(name: str = "examples_rgb_color.dcm", number: int = 1) -> Parcel:
    path = Path(str(get_testdata_file(name, download=False)))
    header = dcmread(path, stop_before_pixels=True)
    return Parcel(number, path, header.SOPClassUID, header.SOPInstanceUID, header.file_meta.TransferSyntaxUID)


Send = Callable[..., list[Outcome]]


@pytest.fixture
def send(receiver: Receiver) -> Send:
    port = receiver.start()

    def run(*parcels: Parcel, title: str = "PACS") -> list[Outcome]:
        sender = StoreSender(title, "127.0.0.1", port, "NODE", seconds=10)
        return [outcome for _, outcome in sender.send(parcels)]

    return run


def test_many_objects_over_one_association_as_they_are(send: Send, receiver: Receiver) -> None:
    still, cine = parcel(), parcel("examples_ybr_color.dcm", 2)
    assert send(still, cine) == [Outcome(True, "0x0000")] * 2
    assert receiver.associations == 1
    for item, received in zip((still, cine), receiver.received, strict=True):
        assert item.path.read_bytes().endswith(received)
        assert len(received) > 0.9 * item.path.stat().st_size


def test_refused_three_times_then_accepted(send: Send, receiver: Receiver) -> None:
    receiver.statuses = [0xA700, 0xA900, 0xC123, 0xB007]
    codes = [outcome for _ in range(5) for outcome in send(parcel())]
    assert codes == [
        Outcome(False, "0xA700"),
        Outcome(False, "0xA900"),
        Outcome(False, "0xC123"),
        Outcome(True, "0xB007"),
        Outcome(True, "0x0000"),
    ]


def test_a_class_that_the_receiver_does_not_take_holds_up_no_other(send: Send, receiver: Receiver) -> None:
    odd = parcel("JPEG2000.dcm", 2)
    assert send(odd, parcel()) == [Outcome(False, "no_context"), Outcome(True, "0x0000")]
    assert send(odd) == [Outcome(False, "no_connection")]  # no context at all: pynetdicom ends the association


def test_a_receiver_that_leaves_in_the_middle(send: Send, receiver: Receiver) -> None:
    receiver.statuses = [0, -1]
    assert send(parcel(), parcel(), parcel()) == [
        Outcome(True, "0x0000"),
        Outcome(False, "no_answer"),
        Outcome(False, "no_connection"),
    ]


def test_a_wrong_title(send: Send) -> None:
    assert send(parcel(), title="OTHER") == [Outcome(False, "association_rejected")]


def test_a_file_that_is_gone(send: Send, tmp_path: Path) -> None:
    still = parcel()
    gone = Parcel(2, tmp_path / "gone.dcm", still.sop_class_uid, still.sop_instance_uid, still.transfer_syntax_uid)
    assert send(gone, still) == [Outcome(False, "no_file"), Outcome(True, "0x0000")]


def test_down_then_up(receiver: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sender = StoreSender("PACS", "127.0.0.1", port, "NODE", seconds=10)
    assert [outcome for _, outcome in sender.send([parcel()])] == [Outcome(False, "no_connection")]
    receiver.start(port)
    assert [outcome for _, outcome in sender.send([parcel()])] == [Outcome(True, "0x0000")]
