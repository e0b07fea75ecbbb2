# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""STOW-RS with a real PACS: from Orthanc into the node, and results from the node into Orthanc."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select, update

from monai_anomaly.apps.node.configuration.sections import Destination, DetectorSettings, NodeSettings, WebDestination
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, DeliveryState, Instance, Job, JobState, now
from monai_anomaly.apps.node.delivery.run_sender import Deliverer
from monai_anomaly.apps.node.intake.stow.desk import StowDesk
from monai_anomaly.apps.node.intake.stow.settings import StowSettings
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.people.tokens import add_token
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.dicom_results import DicomResults, ModelIdentity
from monai_anomaly.scoring.result import Result
from tests.apps.node.database.rows import add_detector, add_job, delivery
from tests.helpers.node_pages import served
from tests.helpers.orthanc import Orthanc, needs_orthanc

pytestmark = [needs_orthanc, pytest.mark.pacs]

NUMBER = 12


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def stills(number: int) -> dict[str, bytes]:
    """Return so many images by their UIDs."""
    dataset = dcmread(str(get_testdata_file("examples_rgb_color.dcm", download=False)))
    images = {}
    for i in range(number):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{i}"
        images[f"1.2.3.{i}"] = written(dataset)
    return images


def waiting(folder: Path, database: Database, images: dict[str, bytes]) -> dict[str, bytes]:
    """Make results of images, with deliveries to the destination "archive", and return them by their UIDs."""
    makes = DicomResults(ModelIdentity("SEPIAD", "0.1.0", "a" * 64, "b" * 64, (0.0, 2.0), "30 normals", "20260102"))
    results = {}
    for content in images.values():
        image = dcmread(io.BytesIO(content))
        shape = (image.Rows, image.Columns)
        scored = Result(
            **{
                "name": "",
                "status": "scored",
                "score": 0.9,
                "p_value": 0.02,
                "decision": "anomalous",
                "threshold": 0.8,
            },
            **{"decision_reason": "The score is not below 0.8.", "false_alarm_rate": 0.1, "map_range": (0.0, 2.0)},
            **{"source_shape": shape, "box": (0, 0, *shape[::-1]), "image": np.zeros((1, 32, 32), np.float32)},
            anomaly_map=np.full((32, 32), 0.9, np.float32),
        )  # type: ignore[arg-type]
        job = add_job(database, add_detector(database), image.SOPInstanceUID, state=JobState.SCORED)
        for made in makes.make(image, scored, picture=np.zeros((3, *shape), np.float32)):
            row = delivery(job, made.kind, "archive")
            row.sop_class_uid, row.sop_instance_uid = made.sop_class_uid, made.sop_instance_uid
            row.digest = hashlib.sha256(made.content).hexdigest()
            (folder / row.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / row.path).write_bytes(made.content)
            results[made.sop_instance_uid] = made.content
            with database.begin() as session:
                session.add(row)
    return results


def send_again(database: Database, state: str) -> None:
    """Make all deliveries of a state due now."""
    with database.begin() as session:
        at_once = {"state": DeliveryState.WAITING, "next_attempt_at": now()}
        session.execute(update(Delivery).where(Delivery.state == state).values(at_once))


def kept_in(pacs: Orthanc) -> list[tuple[str, Dataset]]:
    files = [dcmread(io.BytesIO(pacs.file(name))) for name in pacs.instances()]
    return sorted(((str(file.SOPInstanceUID), file) for file in files), key=lambda pair: pair[0])


def test_results_are_in_orthanc_once_whatever_happens(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    with Orthanc() as pacs:
        archive = Destination(name="archive", dicomweb=WebDestination(url=pacs.dicom_web))
        settings = NodeSettings(
            folder=tmp_path, detector=DetectorSettings(checkpoint=tmp_path), destinations=(archive,)
        )
        sender = Deliverer(settings, archive, database, "me")
        images = stills(5)
        expected = waiting(tmp_path, database, dict(list(images.items())[:3]))
        assert len(expected) == 12 and sender.send_some() == 12
        send_again(database, DeliveryState.ACCEPTED)  # the node was killed before it could enter what Orthanc said
        assert sender.send_some() == 12
        pacs.stop()
        expected |= waiting(tmp_path, database, dict(list(images.items())[3:]))
        send_again(database, DeliveryState.ACCEPTED)
        while sender.send_some():
            pass
        with database.read() as session:
            rows = session.scalars(select(Delivery)).all()
            assert {(row.state, row.reason) for row in rows} == {(DeliveryState.WAITING, "no_connection")}
        pacs.start()
        send_again(database, DeliveryState.WAITING)
        while sender.send_some():
            pass
        with database.read() as session:
            assert {row.state for row in session.scalars(select(Delivery))} == {DeliveryState.ACCEPTED}
            assert {job.state for job in session.scalars(select(Job))} == {JobState.DONE}
        kept = kept_in(pacs)
    assert kept == [(uid, dcmread(io.BytesIO(expected[uid]))) for uid in sorted(expected)]


def test_orthanc_sends_instances_to_the_node(tmp_path: Path) -> None:
    token = add_token(tmp_path / "tokens.yaml", "orthanc", "sender")
    settings = WebSettings(tokens_file=tmp_path / "tokens.yaml", stow=StowSettings())
    database, spool = Database(f"sqlite:///{tmp_path / 'node.db'}"), Spool(tmp_path)
    desk = StowDesk(Custody(database, spool, add_detector(database)), spool, StowSettings())
    with served(WebNode(database, tmp_path, settings, stow=desk)) as port, Orthanc() as pacs:
        node = {"Url": f"http://127.0.0.1:{port}/dicom-web/", "HttpHeaders": {"Authorization": f"Bearer {token}"}}
        pacs.put("/dicom-web/servers/node", node)
        sent = stills(NUMBER)
        names = [pacs.upload(content) for content in sent.values()]
        for _ in range(2):  # a repeat is no harm
            pacs.post("/dicom-web/servers/node/stow", {"Resources": names, "Synchronous": True})
        report = dcmread(io.BytesIO(sent["1.2.3.0"]))
        report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = "1.2.4"
        report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
        refused = {"Resources": [pacs.upload(written(report))], "Synchronous": False}
        job = pacs.post("/dicom-web/servers/node/stow", refused)["ID"]
        while pacs.job(job) in ("Pending", "Running"):
            pass
        assert pacs.job(job) == "Failure"  # Orthanc is told, and so is who looks at it
    with database.read() as session:
        kept = {instance.sop_instance_uid: instance for instance in session.scalars(select(Instance))}
        assert len(session.scalars(select(Job)).all()) == NUMBER
    assert {uid: spool.path(kept[uid].path or "").read_bytes()[-10_000:] for uid in kept} == {
        uid: content[-10_000:] for uid, content in sent.items()
    }
    assert {(instance.copies, instance.origin) for instance in kept.values()} == {(1, "stow:orthanc")}
    assert list(spool.incoming.iterdir()) == []
