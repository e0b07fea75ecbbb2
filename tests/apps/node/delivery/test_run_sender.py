# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What becomes of deliveries when destinations, files or associations are not as they were."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from sqlalchemy import select

from monai_anomaly.apps.node.configuration.sections import (
    Destination,
    DetectorSettings,
    DicomDestination,
    NodeSettings,
    TlsSettings,
    WebDestination,
)
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Job, JobState, now
from monai_anomaly.apps.node.delivery.pauses import LONGEST_SECONDS
from monai_anomaly.apps.node.delivery.run_sender import Deliverer, run_sender
from monai_anomaly.apps.node.stopping import Stopping
from tests.apps.node.database.rows import add_detector, add_job, delivery, job_of


class Pacs:
    """Takes secondary captures, and keeps their UIDs."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.entity = AE("PACS")
        self.entity.require_called_aet = True
        self.entity.add_supported_context(uid.UltrasoundImageStorage, uid.ExplicitVRLittleEndian)
        server = self.entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)])
        assert server is not None
        self.port = int(server.server_address[1])

    def store(self, event: evt.Event) -> int:
        self.received.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def destination(self, name: str = "pacs", title: str = "PACS") -> Destination:
        return Destination(name=name, dicom=DicomDestination(title=title, host="127.0.0.1", port=self.port))


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    one = Pacs()
    yield one
    one.entity.shutdown()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'node.db'}")


@pytest.fixture(scope="module")
def image() -> Dataset:
    return dcmread(str(get_testdata_file("examples_rgb_color.dcm", download=False)))


@pytest.fixture
def wait(tmp_path: Path, database: Database, image: Dataset) -> Callable[..., list[Delivery]]:
    """Make so many scored jobs with one result each, which wait for a destination."""

    def make(number: int = 1, destination: str = "pacs") -> list[Delivery]:
        detector, rows = add_detector(database), []
        for _ in range(number):
            row = delivery(add_job(database, detector, state=JobState.SCORED), "sc", destination)
            path = tmp_path / row.path
            path.parent.mkdir(parents=True, exist_ok=True)
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.{row.job_id}"
            image.save_as(path)
            row.sop_class_uid, row.sop_instance_uid = image.SOPClassUID, image.SOPInstanceUID
            row.digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with database.begin() as session:
                session.add(row)
            rows.append(row)
        return rows

    return make


def settings_of(folder: Path, *destinations: Destination) -> NodeSettings:
    return NodeSettings(folder=folder, detector=DetectorSettings(checkpoint=folder), destinations=destinations)


def deliverer(folder: Path, database: Database, destination: Destination) -> Deliverer:
    return Deliverer(settings_of(folder, destination), destination, database, "machine:1:me")


def rows(database: Database) -> list[Delivery]:
    with database.read() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def make_due(database: Database) -> None:
    with database.begin() as session:
        for row in session.scalars(select(Delivery)):
            row.next_attempt_at = now() - timedelta(seconds=1)


def test_a_job_is_done_when_the_last_of_its_results_was_taken(
    tmp_path: Path, database: Database, pacs: Pacs, wait: Callable[..., list[Delivery]]
) -> None:
    (row,) = wait()
    sender = deliverer(tmp_path, database, pacs.destination())
    assert (sender.send_some(), sender.send_some()) == (1, 0)
    assert pacs.received == [row.sop_instance_uid]
    assert job_of(database, row.job_id).state == JobState.DONE


@pytest.mark.parametrize("harm", ["removed", "truncated", "empty", "another byte", "a folder"])
def test_a_file_that_is_lost_or_damaged_holds_up_no_other(
    harm: str, tmp_path: Path, database: Database, pacs: Pacs, wait: Callable[..., list[Delivery]]
) -> None:
    first, second = wait(2)
    path = tmp_path / first.path
    content = path.read_bytes()
    path.unlink()
    if harm == "a folder":
        path.mkdir()
    elif harm != "removed":
        changed = {"truncated": content[:200], "empty": b"", "another byte": content[:-1] + bytes([content[-1] ^ 1])}
        path.write_bytes(changed[harm])
    sender = deliverer(tmp_path, database, pacs.destination())
    assert (sender.send_some(), sender.send_some()) == (2, 0)
    assert pacs.received == [second.sop_instance_uid]
    lost, sent = rows(database)
    assert (lost.state, lost.attempts, lost.lease_owner) == (DeliveryState.WAITING, 1, None)
    assert lost.reason == ("no_file" if harm in ("removed", "a folder") else "damaged")
    assert sent.state == DeliveryState.ACCEPTED
    assert job_of(database, first.job_id).state == JobState.SENDING
    if harm == "a folder":
        path.rmdir()
    path.write_bytes(content)  # of a backup
    make_due(database)
    assert sender.send_some() == 1
    assert job_of(database, first.job_id).state == JobState.DONE


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        (lambda pacs: pacs.destination(title="ANOTHER"), "association_rejected"),
        (lambda pacs: Destination(name="pacs", dicomweb=WebDestination(url="http://127.0.0.1:9/web")), "no_connection"),
    ],
)
def test_pauses_grow_while_a_destination_refuses(
    destination: Any, reason: str, tmp_path: Path, database: Database, pacs: Pacs, wait: Callable[..., list[Delivery]]
) -> None:
    wait(2)
    sender = deliverer(tmp_path, database, destination(pacs))
    for attempt in (1, 2, 3, 4):
        before = now()
        assert sender.send_some() == 2
        after = now()
        assert sender.send_some() == 0  # not before its time
        for row in rows(database):
            assert (row.attempts, row.reason, row.state) == (attempt, reason, DeliveryState.WAITING)
            longest = 2.0 ** (attempt - 1)
            assert before + timedelta(seconds=0.75 * longest) <= row.next_attempt_at
            assert row.next_attempt_at <= after + timedelta(seconds=longest)
        make_due(database)
    with database.begin() as session:
        for row in session.scalars(select(Delivery)):
            row.attempts = 10**6
    sender.send_some()
    assert all(row.next_attempt_at <= now() + timedelta(seconds=LONGEST_SECONDS) for row in rows(database))
    make_due(database)
    assert deliverer(tmp_path, database, pacs.destination()).send_some() == 2  # it is mended: they were never given up
    assert {row.state for row in rows(database)} == {DeliveryState.ACCEPTED}


class Ended:
    """A sender's process in a thread, until the end of a ``with``."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings

    def __enter__(self) -> None:
        reading, self.writing = multiprocessing.Pipe(duplex=False)
        self.thread = threading.Thread(target=run_sender, args=(self.settings, Stopping(reading)))
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.writing.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("monai_anomaly.node"), "propagate", True)
    return caplog


def test_a_destination_that_is_in_the_settings_no_more_is_named_and_its_results_wait(
    tmp_path: Path, database: Database, pacs: Pacs, wait: Callable[..., list[Delivery]], log: pytest.LogCaptureFixture
) -> None:
    forgotten, known = *wait(1, "old"), *wait(1, "pacs")
    with Ended(settings_of(tmp_path, pacs.destination())):
        assert until(lambda: job_of(database, known.job_id).state == JobState.DONE)
    assert pacs.received == [known.sop_instance_uid]
    assert "1 results wait for 'old', which is not in the settings any more" in log.text
    (row,) = (row for row in rows(database) if row.destination == "old")
    assert (row.state, row.attempts, row.lease_owner) == (DeliveryState.WAITING, 0, None)
    with Ended(settings_of(tmp_path, pacs.destination("old"))):
        assert until(lambda: job_of(database, forgotten.job_id).state == JobState.DONE)


def test_a_destination_whose_certificate_is_missing_holds_up_no_other(
    tmp_path: Path, database: Database, pacs: Pacs, wait: Callable[..., list[Delivery]], log: pytest.LogCaptureFixture
) -> None:
    wait(1, "secure")
    (known,) = wait(1, "pacs")
    tls = TlsSettings(ca=tmp_path / "missing.pem")
    secure = Destination(name="secure", dicom=DicomDestination(title="PACS", host="127.0.0.1", port=pacs.port, tls=tls))
    with Ended(settings_of(tmp_path, secure, pacs.destination())):
        assert until(lambda: job_of(database, known.job_id).state == JobState.DONE)
    assert "missing.pem" in log.text
    with database.read() as session:
        states = [job.state for job in session.scalars(select(Job).order_by(Job.id))]
    assert states == [JobState.SCORED, JobState.DONE]


def test_without_a_destination_the_sender_only_waits_for_its_end(tmp_path: Path, database: Database) -> None:
    with Ended(settings_of(tmp_path)):
        pass
