# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""STOW-RS in, sent by dicomweb-client and by senders that mean harm."""

from __future__ import annotations

import io
import json
import resource
import socket
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian
from sqlalchemy import select

from monai_anomaly.apps.node.configuration.read_settings import read_settings
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Instance, Job, Refusal
from monai_anomaly.apps.node.intake.stow.desk import StowDesk
from monai_anomaly.apps.node.intake.stow.settings import StowSettings
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.people.tokens import add_token
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.utils.exceptions import ConfigError
from tests.apps.node.database.rows import add_detector
from tests.helpers.node_pages import served

LIMITS = StowSettings(max_bytes=1 << 20, max_request_bytes=3 << 20, max_parts=100, seconds=4.0, idle_seconds=1.0)
TYPE = 'multipart/related; type="application/dicom"; boundary=frontier'
FIRST = b"--frontier\r\nContent-Type: application/dicom\r\n\r\n"
NEXT = b"\r\n" + FIRST
LAST = b"\r\n--frontier--\r\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("node")
    tokens = {name: add_token(folder / "tokens.yaml", name, name) for name in ("sender", "reader", "admin")}
    settings = WebSettings(tokens_file=folder / "tokens.yaml", stow=LIMITS)
    database, spool = Database(f"sqlite:///{folder / 'node.db'}"), Spool(folder)
    custody = Custody(database, spool, add_detector(database))
    desk = StowDesk(custody, spool, LIMITS)
    web = WebNode(database, folder, settings, stow=desk)
    with served(web) as port:
        url = f"http://127.0.0.1:{port}/dicom-web"
        yield SimpleNamespace(
            **{"port": port, "url": url, "tokens": tokens, "database": database, "spool": spool},
            **{"custody": custody, "desk": desk},
        )


@pytest.fixture(autouse=True)
def nothing_is_left_half(node: SimpleNamespace) -> Iterator[None]:
    yield
    end = time.monotonic() + 5
    while list(node.spool.incoming.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(node.spool.incoming.iterdir()) == []


@pytest.fixture(scope="module")
def still() -> Dataset:
    return dcmread(str(get_testdata_file("examples_rgb_color.dcm", download=False)))


def other(dataset: Dataset, uid: str, **values: str) -> Dataset:
    """Return the same under another UID."""
    changed = deepcopy(dataset)
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = uid
    for name, value in values.items():
        setattr(changed, name, value)
    return changed


def encoded(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def post(node: SimpleNamespace, body: object, token: str = "sender", path: str = "/studies", **headers: str):
    headers = {"Content-Type": TYPE, "Authorization": f"Bearer {node.tokens[token]}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return requests.post(node.url + path, data=body, headers=headers, timeout=30)


def bodies(*contents: bytes) -> bytes:
    return FIRST + NEXT.join(contents) + LAST


def instances(node: SimpleNamespace) -> dict[str, Instance]:
    with node.database.read() as session:
        return {instance.sop_instance_uid: instance for instance in session.scalars(select(Instance))}


def refusals(node: SimpleNamespace, code: str) -> int:
    with node.database.read() as session:
        rows = session.scalars(select(Refusal.number).where(Refusal.origin == "stow", Refusal.code == code))
        return sum(rows)


def test_instances_of_an_independent_client_are_in_custody(node: SimpleNamespace, still: Dataset) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {node.tokens['sender']}"
    cine = dcmread(str(get_testdata_file("examples_ybr_color.dcm", download=False)))
    small = other(cine, "1.2.3.1")
    small.NumberOfFrames, small.PixelData = 1, cine.PixelData[: len(cine.PixelData) // 30]
    client = DICOMwebClient(node.url, session=session)
    answer = client.store_instances([still, small])
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [still.SOPInstanceUID, "1.2.3.1"]
    assert [item.ReferencedSOPClassUID for item in answer.ReferencedSOPSequence] == [
        still.SOPClassUID,
        cine.SOPClassUID,
    ]
    assert "FailedSOPSequence" not in answer and "OtherFailuresSequence" not in answer
    kept = instances(node)
    assert kept["1.2.3.1"].origin == "stow:sender"
    assert dcmread(node.spool.path(kept["1.2.3.1"].path)) == small
    assert dcmread(node.spool.path(kept[still.SOPInstanceUID].path)) == still
    with node.database.read() as rows:
        assert len(rows.scalars(select(Job).where(Job.instance_id == kept["1.2.3.1"].id)).all()) == 1
    again = client.store_instances([still], study_instance_uid=still.StudyInstanceUID)
    assert len(again.ReferencedSOPSequence) == 1
    assert instances(node)[still.SOPInstanceUID].copies == 1


def test_bytes_are_kept_as_they_came_whatever_is_in_them(node: SimpleNamespace, still: Dataset) -> None:
    tricky = other(still, "1.2.3.2")
    pixels = bytearray(tricky.PixelData)
    for place, text in enumerate((b"\r\n--frontie\r\n", b"\r\n--frontierx", b"\r\r\n\r\n--", b"--frontier--\r\n")):
        pixels[1000 * place : 1000 * place + len(text)] = text
    tricky.PixelData = bytes(pixels)
    content = encoded(tricky)
    pieces = (bodies(content)[start : start + 7919] for start in range(0, len(content) + 200, 7919))
    assert post(node, pieces).status_code == 200
    assert node.spool.path(instances(node)["1.2.3.2"].path).read_bytes() == content


def test_what_is_not_taken_is_named_with_its_reason(node: SimpleNamespace, still: Dataset) -> None:
    report = other(still, "1.2.3.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    inflated = other(still, "1.2.3.4")
    inflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    elsewhere = other(still, "1.2.3.5", StudyInstanceUID="1.2.99")
    good = other(still, "1.2.3.6")
    text = FIRST.replace(b"application/dicom", b"text/plain")
    body = bodies(*map(encoded, (report, inflated, elsewhere)), b"garbage") + b""
    body = body.removesuffix(LAST) + b"\r\n" + text + b"hello" + NEXT + encoded(good) + LAST
    answer = post(node, body, path=f"/studies/{still.StudyInstanceUID}")
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/dicom+json"
    said = Dataset.from_json(answer.json())
    assert [item.ReferencedSOPInstanceUID for item in said.ReferencedSOPSequence] == ["1.2.3.6"]
    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in said.FailedSOPSequence}
    assert failed == {"1.2.3.3": 0x0122, "1.2.3.5": 0xA901}
    assert [item.FailureReason for item in said.OtherFailuresSequence] == [0xC122, 0xC000, 0xC000]
    assert not {"1.2.3.3", "1.2.3.4", "1.2.3.5"} & set(instances(node))


def test_a_request_of_which_nothing_is_taken_is_a_conflict(node: SimpleNamespace, still: Dataset) -> None:
    answer = post(node, bodies(encoded(other(still, "1.2.3.7"))), path="/studies/1.2.98")
    assert answer.status_code == 409
    assert [item.FailureReason for item in Dataset.from_json(answer.json()).FailedSOPSequence] == [0xA901]
    assert post(node, bodies(b"garbage"), path="/studies/no.uid").status_code == 400


def test_no_room_is_said_before_and_after_the_body(
    node: SimpleNamespace, still: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(other(still, "1.2.3.8"))
    with monkeypatch.context() as patch:
        patch.setattr(node.custody, "_max_waiting", 0)
        answer = post(node, bodies(content, content))
        assert answer.status_code == 503 and answer.headers["retry-after"]
        failed = Dataset.from_json(answer.json()).FailedSOPSequence
        assert [item.FailureReason for item in failed] == [0xA700, 0xA700]
        patch.setattr(node.custody, "_max_waiting", 10**6)
        patch.setattr(node.custody, "_detector", 0)  # no such detector: the database refuses its row
        answer = post(node, bodies(content))
        assert answer.status_code == 409
        assert Dataset.from_json(answer.json()).FailedSOPSequence[0].FailureReason == 0x0110
    with monkeypatch.context() as patch:
        patch.setattr(node.spool, "min_free_bytes", 1 << 60)
        answer = post(node, bodies(content))
        assert answer.status_code == 503 and answer.headers["retry-after"] and "room" in answer.json()["error"]
    assert "1.2.3.8" not in instances(node)
    assert post(node, bodies(content)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer nobody's"}, 401),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "application/dicom"}, 415),
        ({"Content_Type": 'multipart/related; type="application/dicom+json"; boundary=frontier'}, 415),
        ({"Content_Type": "multipart/form-data; boundary=frontier"}, 415),
        ({"Content_Type": 'multipart/related; type="application/dicom"'}, 400),
        ({"Content_Type": f"{TYPE}{'x' * 200}"}, 400),
        ({"Content_Type": TYPE.replace("frontier", "another")}, 400),
    ],
)
def test_headers_that_are_refused(node: SimpleNamespace, headers: dict[str, str], status: int) -> None:
    assert post(node, bodies(b"garbage"), **headers).status_code == status


def test_only_a_senders_or_an_admins_token_sends_and_a_sender_sees_nothing(node: SimpleNamespace) -> None:
    assert [post(node, bodies(b"x"), token=name).status_code for name in ("reader", "sender", "admin")] == [
        403,
        409,
        409,
    ]
    root = node.url.removesuffix("/dicom-web")
    bearer = {"Authorization": f"Bearer {node.tokens['sender']}"}
    for path in ("/", "/numbers", "/metrics", "/case/1"):
        assert requests.get(root + path, headers=bearer, timeout=10).status_code == 403
    logged_in = requests.post(f"{root}/login", data={"token": node.tokens["sender"]}, timeout=10)
    assert logged_in.status_code == 403 and not logged_in.cookies


def test_a_browsers_session_does_not_send(node: SimpleNamespace) -> None:
    browser = requests.Session()
    root = node.url.removesuffix("/dicom-web")
    browser.post(f"{root}/login", data={"token": node.tokens["admin"]}, timeout=10)
    assert browser.get(root, timeout=10).status_code == 200
    answer = browser.post(f"{node.url}/studies", data=bodies(b"x"), headers={"Content-Type": TYPE}, timeout=10)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_body"),
        (b"no boundary at all", 400, "bad_body"),
        (b"--frontier--\r\n", 400, "bad_body"),
        (FIRST + b"not ended", 400, "bad_body"),
        (b"--frontier\r\n" + b"A: b\r\n" * 100 + b"\r\n", 400, "bad_body"),
        (b"--frontier\r\nA: " + b"b" * 100_000 + b"\r\n\r\n", 400, "bad_body"),
        (b"--frontier\r\nno header\r\n\r\n", 400, "bad_body"),
        (b"\r\n" * 100_000, 400, "bad_body"),
        (FIRST + b"x" * (1 << 20) + b"x" + LAST, 413, "too_large"),
        ((FIRST + b"x" * (1 << 20) + b"\r\n") * 3 + LAST, 413, "too_large"),
        (FIRST + NEXT.join([b""] * 10_000) + LAST, 413, "too_many_parts"),
    ],
    ids=[
        *("empty", "no boundary", "no part", "not ended", "100 headers", "long header", "no header"),
        *("line ends", "large part", "large body", "10,000 parts"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_hostile_bodies_leave_nothing(
    node: SimpleNamespace, body: bytes, status: int, code: str, chunked: bool
) -> None:
    before, counted = instances(node), refusals(node, code)
    pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
    try:
        assert post(node, pieces if chunked else body).status_code == status
    except requests.ConnectionError:  # the answer came before the body had gone
        assert status == 413
    assert instances(node).keys() == before.keys()
    assert refusals(node, code) == counted + (status != 413 or chunked or code != "too_large" or len(body) < 3 << 20)


def raw(node: SimpleNamespace, *pieces: bytes, length: str = "Content-Length: 1000000") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", node.port), timeout=15)
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {TYPE}\r\n{length}\r\n"
    connection.sendall(f"{head}Authorization: Bearer {node.tokens['sender']}\r\n\r\n".encode())
    for piece in pieces:
        connection.sendall(piece)
    return connection


def test_a_connection_that_is_cut_leaves_nothing(node: SimpleNamespace, still: Dataset) -> None:
    counted = refusals(node, "broken_off")
    connection = raw(node, FIRST + encoded(other(still, "1.2.3.9")) + NEXT + b"half")
    end = time.monotonic() + 5
    while len(list(node.spool.incoming.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(list(node.spool.incoming.iterdir())) == 2
    connection.close()
    while refusals(node, "broken_off") == counted and time.monotonic() < end:
        time.sleep(0.01)
    assert refusals(node, "broken_off") == counted + 1
    assert "1.2.3.9" not in instances(node)  # it was whole, but its sender was told nothing: it comes again


def test_a_connection_that_falls_silent_is_given_up(node: SimpleNamespace) -> None:
    with raw(node, FIRST + b"half") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_a_body_that_dribbles_is_given_up(node: SimpleNamespace) -> None:
    with raw(node, FIRST) as connection:
        connection.settimeout(0.3)
        for _ in range(30):
            try:
                connection.sendall(b"x")
                if said := connection.recv(100):
                    assert said.startswith(b"HTTP/1.1 408")
                    return
            except TimeoutError:
                continue
        raise AssertionError("it was never given up")


@pytest.mark.parametrize(
    "length", ["Content-Length: -1", "Content-Length: 99999999999", "Content-Length: 1\r\nTransfer-Encoding: chunked"]
)
def test_forged_lengths_are_refused(node: SimpleNamespace, length: str) -> None:
    with raw(node, length=length) as connection:
        assert connection.recv(100).split()[1] in (b"400", b"411", b"413")


def test_an_endless_body_takes_no_memory(node: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.desk, "limits", StowSettings(max_bytes=1 << 28, max_request_bytes=1 << 27))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent = []

    def endless() -> Iterator[bytes]:
        yield FIRST
        while len(sent) < 10_000:
            sent.append(1)
            yield b"\r\n--frontie" * 6000

    try:
        assert post(node, endless()).status_code == 413
    except requests.ConnectionError:  # the answer came before the body had gone
        pass
    assert 1800 < len(sent) < 5000  # of 66,000 bytes each
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024


def test_requests_at_a_time_are_limited_and_pages_answer_meanwhile(node: SimpleNamespace) -> None:
    waiting = [raw(node, FIRST) for _ in range(LIMITS.requests)]
    end = time.monotonic() + 5
    while len(list(node.spool.incoming.iterdir())) < LIMITS.requests and time.monotonic() < end:
        time.sleep(0.01)
    answer = post(node, bodies(b"x"))
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert requests.get(node.url.replace("dicom-web", "health"), timeout=10).status_code in (200, 503)
    for connection in waiting:
        connection.close()
    while (answer := post(node, bodies(b"x"))).status_code == 503 and time.monotonic() < end:
        time.sleep(0.01)
    assert answer.status_code == 409


def test_a_node_without_the_section_takes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    with served(WebNode(database, tmp_path, WebSettings(login=False))) as port:
        answer = requests.post(
            f"http://127.0.0.1:{port}/dicom-web/studies", data=bodies(b"x"), headers={"Content-Type": TYPE}, timeout=10
        )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ({"proxy_header": "X-User", "trusted_proxies": ["127.0.0.1"], "stow": {}}, "tokens_file"),
        ({"login": False, "stow": {"max_parts": 0}}, "max_parts"),
        ({"login": False, "stow": {"max_part": 1}}, "max_parts"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, web: dict[str, object], said: str) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(json.dumps({"folder": "kept", "detector": {"checkpoint": "model.pt"}, "web": web}))
    with pytest.raises(ConfigError, match=said):
        read_settings(str(path))
