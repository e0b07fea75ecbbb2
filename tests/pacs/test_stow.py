# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""STOW-RS with a real PACS: from Orthanc into the node, and results from the node into Orthanc."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select

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
