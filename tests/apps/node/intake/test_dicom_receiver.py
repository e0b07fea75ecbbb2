# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The C-STORE receiver against pynetdicom's own sender, and against senders that mean harm."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # made at run time

from measurements.node import hostile
from monai_anomaly.apps.node.intake.dicom_receiver import DicomReceiver
from monai_anomaly.apps.node.intake.storage import STORAGE_CLASSES, receiver_contexts
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError
from monai_anomaly.apps.node.tls import client_context, server_context
from monai_anomaly.data.dicom.syntax import DECODERS
from monai_anomaly.utils.exceptions import ConfigError


class Custody:
    """Keeps what comes in, or raises what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors: list[Exception] = []
        self.taken: list[tuple[Path, str, str | None]] = []
        self.refused: list[str] = []

    def __call__(self, path: Path, origin: str, sop_instance_uid: str | None) -> None:
        if self.errors:
            raise self.errors.pop(0)
        kept = self.folder / f"kept{len(self.taken)}"
        os.rename(path, kept)
        self.taken.append((kept, origin, sop_instance_uid))

    def refuse(self, origin: str, code: str) -> None:
        self.refused.append(code)

    def left(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.name.startswith("incoming-")]


@pytest.fixture
def custody(tmp_path: Path) -> Custody:
    return Custody(tmp_path)


@pytest.fixture
def listen(custody: Custody) -> Iterator[Callable[..., DicomReceiver]]:
    started = []

    def start(**settings: object) -> DicomReceiver:
        known = {"title": "NODE", "calling_titles": ["PACS"], "port": 0, "idle_seconds": 3.0, **settings}
        receiver = DicomReceiver(custody, custody.refuse, folder=custody.folder, **known)  # type: ignore[arg-type]
        receiver.start()
        started.append(receiver)
        return receiver

    yield start
    for receiver in started:
        receiver.stop()


@pytest.fixture(scope="module")
def still() -> Dataset:
    return dcmread(str(get_testdata_file("examples_rgb_color.dcm", download=False)))


def call(
    receiver: DicomReceiver, title: str = "PACS", called: str = "NODE", tls: ssl.SSLContext | None = None
) -> Association:
    sender = AE(title)
    sender.acse_timeout = sender.dimse_timeout = sender.network_timeout = 10
    for name in STORAGE_CLASSES[:2]:
        for syntax in DECODERS:
            sender.add_requested_context(name, syntax)
    sender.add_requested_context(Verification)
    arguments = (tls, "localhost") if tls else None
    return sender.associate("127.0.0.1", receiver.port, ae_title=called, tls_args=arguments)


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_every_class_with_every_syntax_that_is_read() -> None:
    contexts = {context.abstract_syntax: set(context.transfer_syntax) for context in receiver_contexts()}
    assert contexts.pop(Verification)
    assert set(contexts) == set(STORAGE_CLASSES)
    assert all(syntaxes == {str(syntax) for syntax in DECODERS} for syntaxes in contexts.values())


def test_objects_come_in_as_they_were_sent(
    listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset
) -> None:
    cine = dcmread(str(get_testdata_file("examples_ybr_color.dcm", download=False)))
    association = call(listen())
    assert association.send_c_echo().Status == 0
    assert [association.send_c_store(item).Status for item in (still, cine, still)] == [0, 0, 0]
    association.release()
    assert [dcmread(path) for path, _, _ in custody.taken] == [still, cine, still]
    assert dcmread(custody.taken[1][0]).file_meta.TransferSyntaxUID == cine.file_meta.TransferSyntaxUID
    assert custody.taken[0][0].read_bytes() == custody.taken[2][0].read_bytes()  # the same object, the same digest
    assert {origin for _, origin, _ in custody.taken} == {"dimse:PACS"}
    assert custody.taken[0][2] == still.SOPInstanceUID


def test_objects_of_every_class_are_answered(
    listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset
) -> None:
    sender = AE("PACS")
    for name in STORAGE_CLASSES:
        sender.add_requested_context(name, still.file_meta.TransferSyntaxUID)
    association = sender.associate("127.0.0.1", listen().port, ae_title="NODE")
    for name in STORAGE_CLASSES:
        item = Dataset()
        item.SOPClassUID, item.SOPInstanceUID = name, "1.2.3"
        item.file_meta = still.file_meta
        assert association.send_c_store(item).Status == 0, name
    association.release()
    assert len(custody.taken) == len(STORAGE_CLASSES)


def test_no_success_without_custody(listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset) -> None:
    custody.errors = [
        NoRoomError(), OSError(28, "full"), RuntimeError("the database is away"),
        NotTakenError("wrong_class"), NotTakenError("not_dicom"),
    ]  # fmt: skip
    association = call(listen())
    statuses = [association.send_c_store(still).Status for _ in range(6)]
    association.release()
    assert statuses == [0xA700, 0xA700, 0xA700, 0xA900, 0xC000, 0x0000]
    assert len(custody.taken) == 1
    assert custody.left() == []


def test_unknown_titles_are_refused(listen: Callable[..., DicomReceiver], custody: Custody) -> None:
    receiver = listen()
    assert call(receiver, title="STRANGER").is_rejected
    assert call(receiver, called="OTHER").is_rejected
    assert custody.refused == ["association_rejected"] * 2


def test_one_association_too_many_is_refused(listen: Callable[..., DicomReceiver]) -> None:
    receiver = listen(associations=2)
    associations = [call(receiver) for _ in range(3)]
    assert [association.is_established for association in associations] == [True, True, False]
    associations[0].release()
    assert wait_for(lambda: call(receiver).is_established)


def test_connections_have_a_limit(listen: Callable[..., DicomReceiver], custody: Custody) -> None:
    receiver = listen(associations=1)
    sockets = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(30)]
    assert wait_for(lambda: custody.refused.count("too_many_connections") >= 30 - 1 - 10)
    for connection in sockets:
        connection.close()
    assert wait_for(lambda: call(receiver).is_established)


@pytest.mark.parametrize(
    "content",
    [b"", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">BBL", 1, 0, 68) + bytes(68)],
    ids=["nothing", "another protocol", "empty request"],
)
def test_connections_that_ended_leave_their_places_at_once(
    content: bytes, listen: Callable[..., DicomReceiver], custody: Custody
) -> None:
    receiver = listen(associations=2, idle_seconds=60.0)  # longer than anybody waits here
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
            connection.sendall(content)
    assert wait_for(lambda: call(receiver).is_established)


def test_silent_connections_make_way(listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset) -> None:
    receiver = listen(associations=2, idle_seconds=60.0)
    silent = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(12)]
    assert wait_for(lambda: call(receiver).is_established)
    assert "silent" in custody.refused
    for connection in silent:
        connection.close()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_peer_that_leaves_at_any_moment_prints_nothing(
    listen: Callable[..., DicomReceiver], capfd: pytest.CaptureFixture[str]
) -> None:
    receiver = listen(associations=50)
    request = hostile.association_request().replace(b"ANOMALY", b"NODE   ").replace(b"SENDER", b"PACS  ")
    for i in range(60):
        with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
            linger = struct.pack("ii", 1, 0)  # a reset in place of an end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger if i % 2 else struct.pack("ii", 0, 0))
            connection.sendall(request)
            time.sleep(i % 10 / 1000)
    assert wait_for(lambda: not [t for t in threading.enumerate() if isinstance(t, Association) and t.is_acceptor])
    assert capfd.readouterr() == ("", "")


def test_an_object_that_is_too_large_ends_the_association(
    listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset
) -> None:
    association = call(listen(max_bytes=100_000))
    assert "Status" not in association.send_c_store(still)
    assert wait_for(lambda: association.is_aborted)
    assert custody.refused == ["too_large"]
    assert custody.taken == []
    assert custody.left() == []


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + bytes(100),
        struct.pack(">BBL", 4, 0, 1 << 30),
        struct.pack(">BBL", 1, 0, 68) + bytes(68),
        b"GET / HTTP/1.1\r\n\r\n" * 1000,
    ],
    ids=["forged length", "data before an association", "empty request", "another protocol"],
)
def test_garbage_ends_its_connection_only(
    content: bytes, listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset
) -> None:
    receiver = listen()
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection:
        connection.sendall(content)
        try:
            while connection.recv(1024):
                pass
        except ConnectionError:
            pass
    assert call(receiver).send_c_store(still).Status == 0
    assert custody.left() == []


def test_a_sender_that_leaves_in_the_middle_leaves_no_file(
    listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset
) -> None:
    association = call(listen())
    sent: list[bytes] = []
    original = association.dul.socket.send  # type: ignore[union-attr]

    def send(content: bytes) -> None:
        sent.append(content)
        if len(sent) > 2:
            association.dul.socket.socket.close()  # type: ignore[union-attr]
            return
        original(content)

    association.dul.socket.send = send  # type: ignore[method-assign, union-attr, assignment]
    association.send_c_store(still)
    assert wait_for(lambda: custody.left() == [])
    assert custody.taken == []


def test_old_leftovers_go_at_the_start(listen: Callable[..., DicomReceiver], custody: Custody) -> None:
    old, fresh = custody.folder / "incoming-old", custody.folder / "incoming-fresh"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    listen()
    assert custody.left() == [fresh.name]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "node.pem", folder / "node.key"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {certificate} -days 2"
    )
    command += " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(command.split(), check=True, capture_output=True)
    return certificate, key


def test_tls(
    listen: Callable[..., DicomReceiver], custody: Custody, still: Dataset, certificate: tuple[Path, Path]
) -> None:
    receiver = listen(tls=server_context(*certificate, ca=certificate[0]))
    silent = socket.create_connection(("127.0.0.1", receiver.port))  # must not keep others from their handshake
    known = client_context(certificate[0], *certificate)
    assert call(receiver, tls=known).send_c_store(still).Status == 0
    assert not call(receiver, tls=client_context(certificate[0])).is_established  # no certificate of its own
    assert not call(receiver).is_established
    assert wait_for(lambda: "tls" in custody.refused)
    silent.close()


def test_tls_names_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"wrong\.pem"):
        server_context(wrong, wrong)
