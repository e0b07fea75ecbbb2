# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from monai_anomaly.apps.label import dicom_web
from monai_anomaly.apps.label.dicom_web import DicomWebSource
from monai_anomaly.data.errors import ImageReadError

BODY = b"\0" * 128 + b"DICM" + bytes(range(256)) * 40 + b"\r\n\r\n--x\r\n"


def uid(tag, value):
    return {tag: {"vr": "UI", "Value": [value]}}


class Answers(BaseHTTPRequestHandler):
    """A DICOMweb server whose series "1.2" has as many images as `count`; each answers as `kind` says."""

    count, kind, accepted = 2, "multipart", ""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if "offset" in self.path and "offset=0" not in self.path:
            self.reply(204, "application/dicom+json", b"")
        elif path.endswith("/instances"):
            found = [uid("00080018", f"1.2.{number}") for number in range(self.count)]
            self.reply(200, "application/dicom+json", json.dumps(found).encode())
        elif path.endswith("/series"):
            found = [uid("0020000E", "1.2") | uid("0020000D", "1.1"), uid("0020000E", "../x") | uid("0020000D", "1.1")]
            self.reply(200, "application/dicom+json", json.dumps(found).encode())
        else:
            type(self).accepted = self.headers["Accept"]
            self.send_image()

    def send_image(self):
        if self.kind == "plain":
            self.reply(200, "application/dicom", BODY)
        elif self.kind == "not_found":
            self.reply(404, "text/plain", b"")
        else:
            end = b"" if self.kind == "cut" else b"\r\n--edge--\r\n"
            body = b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n" + BODY + end
            self.reply(200, 'multipart/related; type="application/dicom"; boundary="edge"', body)

    def reply(self, code, kind, body):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    answers = type("Own", (Answers,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        session = requests.Session()
        session.trust_env = False
        url = f"http://127.0.0.1:{http.server_port}"
        yield answers, lambda **options: DicomWebSource(url, session, {"Modality": "US"}, **options)
        http.shutdown()
        thread.join()
        session.close()


def test_series_have_their_study_and_what_is_no_uid_is_left_out(server):
    assert server[1]().series() == {"1.2": "1.1"}


@pytest.mark.parametrize("kind", ["multipart", "plain"])
def test_files_are_as_they_are_stored_and_called_by_numbers(tmp_path, server, kind):
    answers, source = server
    answers.kind = kind
    source().fetch("1.1", "1.2", tmp_path / "cache" / "series")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["series"]
    files = sorted((tmp_path / "cache" / "series").iterdir())
    assert [path.name for path in files] == ["0001.dcm", "0002.dcm"]
    assert all(path.read_bytes() == BODY for path in files)
    assert "transfer-syntax=*" in answers.accepted  # nothing is decoded on the way


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        ({"kind": "cut"}, {}, "truncated"),
        ({"count": 0}, {}, "not_found"),
        ({"count": 3}, {}, "budget"),
        ({}, {"max_bytes": len(BODY) + 100}, "budget"),
    ],
)
def test_what_is_not_whole_or_too_much_leaves_nothing(tmp_path, server, monkeypatch, change, options, code):
    answers, source = server
    monkeypatch.setattr(dicom_web, "MOST_IMAGES", 2)
    for name, value in change.items():
        setattr(answers, name, value)
    with pytest.raises(ImageReadError) as caught:
        source(**options).fetch("1.1", "1.2", tmp_path / "series")
    assert caught.value.code == code and list(tmp_path.iterdir()) == []


def test_a_server_that_has_it_no_more_is_an_error_of_the_system(tmp_path, server):
    answers, source = server
    answers.kind = "not_found"
    with pytest.raises(OSError):
        source().fetch("1.1", "1.2", tmp_path / "series")
    assert list(tmp_path.iterdir()) == []
