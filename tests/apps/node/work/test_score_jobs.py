# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a file in the watched folder to results at a receiver, in one process: every part but the supervisor."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from sqlalchemy import select

import monai_anomaly as ma
from monai_anomaly.apps.node.configuration.sections import (
    Destination,
    DetectorSettings,
    DicomDestination,
    NodeSettings,
    RetentionSettings,
    WatchSettings,
    WorkerSettings,
)
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.queue import next_jobs
from monai_anomaly.apps.node.database.tables import Delivery, Instance, Job, now
from monai_anomaly.apps.node.delivery import run_sender as run_sender_module
from monai_anomaly.apps.node.delivery.run_sender import Deliverer, run_sender
from monai_anomaly.apps.node.intake.run_receiver import run_receiver
from monai_anomaly.apps.node.intake.watched_folder import WatchedFolder
from monai_anomaly.apps.node.opening import open_database, open_spool
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector
from monai_anomaly.apps.node.work.retention import remove_old
from monai_anomaly.apps.node.work.score_jobs import JobScorer, run_worker
from tests.helpers.doors import calibrate, write_model

SAMPLES = ("examples_rgb_color.dcm", "examples_ybr_color.dcm")


class Receiver:
    """A PACS that has the statuses that it is told, then success."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[str, bytes]] = []
        entity = AE("PACS")
        for context in ("1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4"):
            entity.add_supported_context(context, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"])
        self.server: Any = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._on)]
        )
        self.port = int(self.server.server_address[1])

    def _on(self, event: evt.Event) -> int:
        status = self.statuses.pop(0) if self.statuses else 0
        if status == 0:
            self.received.append((str(event.request.AffectedSOPInstanceUID), event.encoded_dataset(include_meta=False)))
        return status


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()


@pytest.fixture
def settings(tmp_path: Path, receiver: Receiver) -> NodeSettings:
    model = write_model(tmp_path, guard=False)
    calibrate(model, [0.001 * i for i in range(1, 60)])
    return NodeSettings(
        folder=tmp_path / "node",
        detector=DetectorSettings(checkpoint=model),
        watch=WatchSettings(folder=tmp_path / "in", settle_seconds=0.0),
        destinations=(
            Destination(name="pacs", dicom=DicomDestination(title="PACS", host="127.0.0.1", port=receiver.port)),
        ),
        workers=WorkerSettings(attempts=2),
        retention=RetentionSettings(spool_days=0.0, results_days=0.0),
    )


class Node:
    """The node's parts, opened in this process."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.database, self.spool = open_database(settings), open_spool(settings)
        self.number = register_detector(self.database, open_node_detector(settings))
        self.custody = Custody(self.database, self.spool, self.number)
        assert settings.watch is not None
        self.inbox = settings.watch.folder
        self.inbox.mkdir()
        self.folder = WatchedFolder(
            self.inbox, self.spool.incoming, self.custody, self.custody.refuse, settle_seconds=-1.0, max_bytes=1 << 24
        )

    def bring(self, *names: str) -> None:
        for name in names:
            shutil.copy(str(get_testdata_file(name, download=False)), self.inbox / name)
        assert self.folder.look() == len(names)

    def jobs(self) -> list[Job]:
        with self.database.read() as session:
            return list(session.scalars(select(Job).order_by(Job.id)))

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))


@pytest.fixture
def node(settings: NodeSettings):
    made = Node(settings)
    yield made
    made.database.close()


def test_results_reach_the_receiver_with_the_score_of_the_door_and_nothing_goes_before(
    node: Node, receiver: Receiver, settings: NodeSettings
):
    node.bring(*SAMPLES)
    assert list(node.inbox.iterdir()) == []
    assert JobScorer(settings, node.database, "a:1").score_some() == 2
    expected = [ma.load(settings.detector.checkpoint).score(str(get_testdata_file(name))).score for name in SAMPLES]
    assert [job.score for job in node.jobs()] == expected and {job.state for job in node.jobs()} == {"scored"}
    kinds = [delivery.kind for delivery in node.deliveries()]
    assert sorted(kinds) == ["sc", "sc", "seg", "seg_binary", "sr", "sr"]  # a cine has no segmentation

    assert remove_old(settings, node.database, node.spool) == (0, 0, 0)  # nothing was accepted yet
    receiver.statuses = [0xA700]
    deliverer = Deliverer(settings, settings.destinations[0], node.database, "a:2")
    assert deliverer.send_some() == 6 and len(receiver.received) == 5
    late = [each for each in node.deliveries() if each.state == "waiting"]
    assert [each.reason for each in late] == ["0xA700"] and late[0].next_attempt_at > now()
    assert sorted(job.state for job in node.jobs()) == ["done", "sending"]
    with node.database.begin() as session:
        session.get_one(Delivery, late[0].id).next_attempt_at = now() - timedelta(seconds=1)
    assert deliverer.send_some() == 1 and deliverer.send_some() == 0

    assert {job.state for job in node.jobs()} == {"done"}
    assert sorted(uid for uid, _ in receiver.received) == sorted(each.sop_instance_uid for each in node.deliveries())
    sent = dict(receiver.received)
    for each in node.deliveries():
        assert (settings.folder / each.path).read_bytes().endswith(sent[each.sop_instance_uid][-64:])
    assert remove_old(settings, node.database, node.spool) == (2, 2, 0)
    assert list((settings.folder / "spool").glob("??/*.dcm")) == []
    assert all(job.results is None and job.score is not None for job in node.jobs())


def test_a_file_that_cannot_be_read_is_refused_by_name_and_a_lost_lease_changes_nothing(
    node: Node, settings: NodeSettings, tmp_path: Path
):
    damaged = dcmread(str(get_testdata_file("examples_rgb_color.dcm")))
    damaged.SOPInstanceUID = damaged.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    damaged.PixelData = damaged.PixelData[:1000]
    damaged.save_as(node.inbox / "damaged.dcm")
    assert node.folder.look() == 1
    scorer = JobScorer(settings, node.database, "a:1")
    assert scorer.score_some() == 1
    (job,) = node.jobs()
    assert (job.state, job.score) == ("refused", None) and job.code and job.reason
    assert node.deliveries() == []

    node.bring(SAMPLES[0])
    with node.database.begin() as session:  # another worker has it, and this one does not know
        (taken,) = next_jobs(session, node.number, "b:1", lease_seconds=60, most_attempts=5)
        held = (taken.id, 1, session.get_one(Instance, taken.instance_id).path)
    scorer._score([held])
    assert node.jobs()[-1].state == "scoring" and node.deliveries() == []


def test_a_file_that_is_gone_is_tried_again_and_given_up(node: Node, settings: NodeSettings):
    node.bring(SAMPLES[0])
    with node.database.begin() as session:
        session.scalars(select(Instance)).one().path = None
    scorer = JobScorer(settings, node.database, "a:1")
    for state in ("queued", "dead"):
        with node.database.begin() as session:
            session.scalars(select(Job)).one().next_attempt_at = now()
        assert scorer.score_some() == 1
        (job,) = node.jobs()
        assert (job.state, job.code) == (state, "no_file")


def test_what_is_no_image_of_ours_is_put_aside_and_links_are_left(node: Node, tmp_path: Path):
    (node.inbox / "text.dcm").write_text("no image")
    (node.inbox / ".half").write_text("not done")
    os.symlink(str(get_testdata_file(SAMPLES[0])), node.inbox / "link.dcm")
    os.mkfifo(node.inbox / "pipe")
    assert node.folder.look() == 0 and node.jobs() == []
    assert sorted(path.name for path in node.inbox.iterdir()) == [".half", "link.dcm", "pipe", "refused"]
    assert [path.name for path in (node.inbox / "refused").iterdir()] == ["text.dcm"]
    (node.inbox / "text.dcm").write_text("another one")
    assert node.folder.look() == 0
    assert len(list((node.inbox / "refused").iterdir())) == 2  # none replaces another
    assert list(node.spool.incoming.iterdir()) == []


def test_an_end_in_the_middle_of_a_batch_gives_the_rest_back_and_their_attempts(
    node: Node, receiver: Receiver, settings: NodeSettings
):
    node.bring(*SAMPLES)

    class AfterOne(Stopping):
        """Wants the end as soon as one image is scored."""

        def wait(self, seconds: float) -> bool:
            return any(job.state != "scoring" for job in node.jobs())

    scorer = JobScorer(settings, node.database, "a:1:x")
    assert scorer.score_some(AfterOne(multiprocessing.Pipe(duplex=False)[0])) == 2
    first, second = node.jobs()
    assert (first.state, first.attempts) == ("scored", 1)
    assert (second.state, second.attempts, second.lease_owner) == ("queued", 0, None)

    waiting = [each for each in node.deliveries() if each.state == "waiting"]

    class AfterSent(Stopping):
        """Wants the end as soon as one object is sent."""

        def wait(self, seconds: float) -> bool:
            return len(receiver.received) > 0

    deliverer = Deliverer(settings, settings.destinations[0], node.database, "a:2:x")
    assert deliverer.send_some(AfterSent(multiprocessing.Pipe(duplex=False)[0])) == len(waiting)
    states = [(each.state, each.lease_owner) for each in node.deliveries()]
    assert states == [("accepted", None)] + [("waiting", None)] * (len(waiting) - 1)


def test_what_a_sender_took_when_the_database_went_away_does_not_stay_its_own(
    node: Node, settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
):
    node.bring(SAMPLES[0])
    JobScorer(settings, node.database, "a:1:x").score_some()
    deliverer = Deliverer(settings, settings.destinations[0], node.database, "a:2:x")
    with monkeypatch.context() as changes:
        changes.setattr(run_sender_module, "accept_deliveries", _raise)
        changes.setattr(run_sender_module, "release", _raise)
        with pytest.raises(OSError):
            deliverer.send_some()
    assert {each.lease_owner for each in node.deliveries()} == {"a:2:x"}
    assert deliverer.send_some() == len(node.deliveries())
    assert {each.state for each in node.deliveries()} == {"accepted"}


def _raise(*_: Any, **__: Any) -> None:
    raise OSError


def test_the_parts_end_when_they_are_told(node: Node, settings: NodeSettings):
    node.bring(SAMPLES[0])
    reading, writing = multiprocessing.Pipe(duplex=False)
    writing.close()
    stopping = Stopping(reading)
    run_receiver(settings, node.number, stopping)
    run_worker(settings, stopping)
    run_sender(settings, stopping)
    assert [job.state for job in node.jobs()] == ["queued"]
