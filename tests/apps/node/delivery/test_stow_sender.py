# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""STOW-RS out, against a service of a few lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from monai_anomaly.apps.node.delivery.parcel import Outcome, Parcel
from monai_anomaly.apps.node.delivery.stow_sender import StowSender

STORED = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}]}}


def failed(reason: int) -> dict[str, object]:
    return {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


class Service(ThreadingHTTPServer):
    """Answers with what it is told, and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, object] = (200, STORED)
        self.bodies: list[bytes] = []
        self.tokens: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self.chunks()
        self.server.bodies.append(body)
        self.server.tokens.append(self.headers.get("Authorization"))
        status, content = self.server.answer
        payload = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as one:
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
        yield one
        one.shutdown()


def parcel() -> Parcel:
    path = Path(str(get_testdata_file("JPEG2000.dcm", download=False)))
    header = dcmread(path, stop_before_pixels=True)
    return Parcel(1, path, header.SOPClassUID, header.SOPInstanceUID, header.file_meta.TransferSyntaxUID)


def send(service: Service, **settings: Path) -> Outcome:
    [(_, outcome)] = StowSender(f"http://127.0.0.1:{service.server_port}/web", seconds=10, **settings).send([parcel()])
    return outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, STORED), Outcome(True, "http_200")),
        ((202, {**STORED, **failed(0xA700)}), Outcome(False, "0xA700")),
        ((409, failed(0x0111)), Outcome(True, "0x0111")),
        ((409, failed(0xC122)), Outcome(False, "0xC122")),
        ((409, "<html>"), Outcome(False, "http_409")),
        ((200, {}), Outcome(False, "http_200")),
        ((200, "<html>"), Outcome(False, "no_answer")),
        ((401, ""), Outcome(False, "http_401")),
        ((503, ""), Outcome(False, "http_503")),
    ],
)
def test_only_a_stored_object_is_accepted(service: Service, answer: tuple[int, object], outcome: Outcome) -> None:
    service.answer = answer
    assert send(service) == outcome
    assert len(service.bodies) == 1  # the queue tries again, not the client


def test_the_bytes_and_the_token(service: Service, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    send(service, token_file=token)
    content = parcel().path.read_bytes()
    assert content[-100_000:] in service.bodies[0]  # all that follows the file meta information, and the most of it
    assert service.tokens == ["Bearer secret"]
    token.unlink()
    assert send(service, token_file=token) == Outcome(False, "no_token")


def test_nobody_there(service: Service) -> None:
    service.shutdown()
    service.server_close()
    assert send(service) == Outcome(False, "no_connection")
