# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two images with a hostile header through custody and a worker: what the pages, and programs, are told of them."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select

from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings, RetentionSettings
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.tables import Instance, Job
from monai_anomaly.apps.node.opening import open_database, open_spool
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.scoring import child
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector
from monai_anomaly.apps.node.work.retention import remove_old
from monai_anomaly.apps.node.work.score_jobs import JobScorer
from tests.helpers.doors import calibrate, write_model

STILL, CINE = "examples_rgb_color.dcm", "examples_ybr_color.dcm"
NAME = "Zebra<script>alert(1)</script>^Ärger"
OTHERS = {
    **{"PatientID": "Zebra'><b>", "AccessionNumber": "Zebra&7", "PatientBirthDate": "19010203", "StudyID": "Zebra"},
    **dict.fromkeys(("PatientComments", "StudyDescription", "SeriesDescription", "InstitutionName"), "Zebra <i>"),
    **dict.fromkeys(("OperatorsName", "ReferringPhysicianName"), "Zebra^<u>"),
    **dict.fromkeys(("StationName", "DeviceSerialNumber", "ProtocolName", "ImageComments"), "Zebra<s>"),
}
TOLD = ("Zebra&lt;script&gt;alert(1)&lt;/script&gt;^Ärger", "Zebra&#39;&gt;&lt;b&gt;", "19010203", "Zebra&amp;7")
PATHS = (
    "/",
    "/?order=oldest",
    "/case/1",
    "/case/2?at=0",
    "/case/99",
    "/numbers",
    "/health",
    "/metrics",
    "/openapi.json",
)


def hostile_file(path: Path, sample: str) -> Path:
    dataset = dcmread(str(get_testdata_file(sample, download=False)))
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = NAME
    for keyword, value in OTHERS.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> NodeSettings:
    """Return the settings of a node that has scored both."""
    folder = tmp_path_factory.mktemp("node")
    model = write_model(folder, guard=False, frames="all")
    calibrate(model, [0.001 * i for i in range(1, 60)], frames="all")
    settings = NodeSettings(folder=folder / "node", detector=DetectorSettings(checkpoint=model))
    database, spool = open_database(settings), open_spool(settings)
    custody = Custody(database, spool, register_detector(database, open_node_detector(settings)))
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    for name in (STILL, CINE):
        custody(hostile_file(spool.incoming / name, name), "dimse:PACS", None)
    assert JobScorer(settings, database, "a:1").score_some() == 2
    logging.getLogger().removeHandler(handler)
    assert not any("Zebra" in record.getMessage() for record in lines)
    database.close()
    return settings


def pages(settings: NodeSettings, **web: object) -> TestClient:
    node = WebNode(open_database(settings), settings.folder, WebSettings(login=False, **web))  # type: ignore[arg-type]
    return TestClient(make_app(node), base_url="http://127.0.0.1")


def test_no_page_no_number_and_no_picture_has_a_word_of_the_header(settings):
    client = pages(settings)
    for path in PATHS:
        assert not any(word in client.get(path).text for word in ("Zebra", "Ärger", "1901", "<script>alert")), path
    for name in ("picture", "map", "thumbnail"):
        answer = client.get(f"/case/1/{name}.png")
        assert b"Zebra" not in answer.content and "Zebra" not in str(answer.headers)


def test_nor_has_the_database_but_for_the_file_itself(settings):
    database = open_database(settings)
    with database.read() as session:
        for job in session.scalars(select(Job)):
            texts = [str(getattr(job, column.key)) for column in Job.__table__.columns]
            assert not any(word in text for text in texts for word in ("Zebra", "1901"))
            assert b"Zebra" in (settings.folder / str(job.instance.path)).read_bytes()
    database.close()


def test_switched_on_the_page_of_a_case_has_four_fields_and_they_are_escaped(settings):
    client = pages(settings, show_patient=True)
    for number in (1, 2):
        page = client.get(f"/case/{number}").text
        assert [page.count(text) for text in TOLD] == [1, 1, 1, 1]
        assert page.count("Zebra") == 3 and "<script>alert" not in page
    for path in PATHS:
        assert "case" in path or "Zebra" not in client.get(path).text


def test_a_stranger_is_not_shown_the_patient(settings, tmp_path):
    (tmp_path / "tokens.yaml").write_text("[]")
    web = WebSettings(tokens_file=tmp_path / "tokens.yaml", show_patient=True)
    client = TestClient(make_app(WebNode(open_database(settings), settings.folder, web)), base_url="http://127.0.0.1")
    assert not any("Zebra" in client.get(path).text for path in PATHS)


def test_the_page_of_a_cine_has_its_frame_under_the_map_with_a_slider(settings):
    client = pages(settings)
    page = client.get("/case/2").text
    with open_database(settings).read() as session:
        job = session.get_one(Job, 2)
    frames = int(dcmread(str(get_testdata_file(CINE)), stop_before_pixels=True).NumberOfFrames)
    assert job.record["frames"] == list(range(frames))
    assert f'alt="The picture, frame {job.frame + 1}"' in page
    assert f"decided, the highest of {frames} that were scored" in page
    assert 'id="opacity" type="range"' in page and 'class="over" src="/case/2/map.png"' in page
    sizes = {Image.open(io.BytesIO(client.get(f"/case/2/{name}.png").content)).size for name in ("picture", "map")}
    assert sizes == {(job.columns, job.rows)}


def test_what_retention_took_is_said_and_the_verdict_can_still_be_given(settings, tmp_path):
    own = replace(settings, folder=tmp_path / "node", retention=RetentionSettings(spool_days=0.0, results_days=0.0))
    shutil.copytree(settings.folder, own.folder)
    database, spool = open_database(own), open_spool(own)
    with database.begin() as session:
        for job in session.scalars(select(Job)):
            job.state, job.finished_at = "done", job.created_at
    client = pages(own, show_patient=True)
    assert client.get("/case/1/map.png").status_code == 200
    assert remove_old(own, database, spool)[:2] == (2, 2)
    page = client.get("/case/1").text
    assert "retention removes them" in page and "/case/1/picture.png" not in page
    assert "The stored file was removed by retention." in page and "Zebra" not in page
    assert "thumbnail" not in client.get("/").text
    assert {client.get(f"/case/1/{name}.png").status_code for name in ("map", "thumbnail")} == {404}
    key = page.partition('name="form_key" value="')[2].partition('"')[0]
    answer = client.post("/case/1/verdict", data={"form_key": key, "verdict": "not_sure"}, follow_redirects=False)
    assert answer.status_code == 303 and "reader: not sure" in client.get("/").text


def test_a_stored_file_that_cannot_be_read_is_said_where_the_patient_would_be(settings, tmp_path):
    own = replace(settings, folder=tmp_path / "node")
    shutil.copytree(settings.folder, own.folder)
    database = open_database(own)
    with database.read() as session:
        paths = [own.folder / str(path) for path in session.scalars(select(Instance.path))]
    paths[0].write_bytes(b"no DICOM")
    paths[1].unlink()
    client = pages(own, show_patient=True)
    for number in (1, 2):
        assert "The header of the stored file cannot be read." in client.get(f"/case/{number}").text


def answers_of(monkeypatch, *lines: object) -> list[dict]:
    """What the scoring process' program says to these lines; it runs in this process."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(json.dumps(line) + "\n" for line in lines)))
    kept, (reading, writing) = os.dup(1), os.pipe()
    try:
        os.dup2(writing, 1)
        child.main()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(writing)
    with open(reading) as answers:
        return [json.loads(line) for line in answers]


def test_the_record_of_a_file_that_was_handed_in_has_no_word_of_its_header(settings, tmp_path, monkeypatch):
    options = {"checkpoint": str(settings.detector.checkpoint), "decode_limit": 60.0}
    asked = [str(hostile_file(tmp_path / "Zebra.dcm", STILL)), str(tmp_path / "Zebra.png")]
    ready, scored, missing = answers_of(monkeypatch, options, *asked)
    assert ready == {"ready": True}
    assert scored["record"]["status"] == "scored" and scored["record"]["image"] is None
    assert missing["record"]["status"] != "scored" and missing["record"]["reason"]
    assert not any("Zebra" in json.dumps(answer) for answer in (scored, missing))


def test_a_detector_that_is_not_there_is_all_that_the_scoring_process_says(tmp_path, monkeypatch):
    (answer,) = answers_of(monkeypatch, {"checkpoint": str(tmp_path / "none.pt")}, "image.dcm")
    assert answer.keys() == {"problem"} and "none.pt" in answer["problem"]
