# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the pages say when something is amiss: drift, health, pictures that went, pages that fail."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from monai_anomaly.apps.node.database.tables import Delivery, Detector, Instance, Job, now
from monai_anomaly.apps.node.web import context
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.pages import age
from monai_anomaly.apps.node.web.views.drift import DriftCheck
from monai_anomaly.apps.node.web.views.health import Limits, check_health
from tests.apps.drift.test_assessment import brighter, make_records
from tests.helpers.node_pages import make_node

LOOPBACK = "http://127.0.0.1"


class Log(list):
    def append(self, event, **content):
        super().append((event, content))


def visit(node, path: str):
    return TestClient(make_app(node), base_url=LOOPBACK, raise_server_exceptions=False).get(path)


def node_with_records(folder, records):
    """A node whose jobs have these records, in the order of time."""
    node = make_node(folder)
    with node.database.begin() as session:
        detector = session.scalars(select(Detector)).one()
        for i, record in enumerate(records):
            at = now() - timedelta(minutes=len(records) - i)
            known = {
                "sop_instance_uid": f"1.2.{i}",
                "sop_class_uid": "1.2",
                "digest": "d",
                "size": 1,
                "origin": "folder",
            }
            session.add(Job(instance=Instance(**known), detector=detector, state="done", created_at=at, record=record))
    return node


@pytest.mark.parametrize("drifts", [False, True])
def test_the_numbers_say_whether_the_last_days_are_like_the_calibration(tmp_path, drifts):
    records = make_records(80)
    node = node_with_records(tmp_path, [brighter(record) for record in records] if drifts else records)
    reference = tmp_path / "calibration_records.jsonl"
    reference.write_text("".join(json.dumps(record) + "\n" for record in make_records(80, 1)))
    node.drift = DriftCheck(reference)
    page = visit(node, "/numbers").text
    assert ("are not like the calibration" in page) == drifts == ("<li>Brightness (mean)" in page)
    assert ("No check alarms on 80 records" in page) != drifts


def test_it_is_said_why_nothing_was_compared_and_found_is_kept_for_a_while(tmp_path, monkeypatch):
    node = node_with_records(tmp_path, make_records(30))
    assert "(calibration_records.jsonl) are not beside the calibration" in visit(node, "/numbers").text
    reference = tmp_path / "calibration_records.jsonl"
    reference.write_text("{}\n")
    node.drift = DriftCheck(reference)
    assert "Not compared:" in visit(node, "/numbers").text
    with node.database.begin() as session:
        session.execute(text("DELETE FROM jobs"))
        session.execute(text("DELETE FROM detectors"))
    assert "Not compared:" in visit(node, "/numbers").text
    monkeypatch.setattr("monai_anomaly.apps.node.web.views.drift._KEPT_SECONDS", -1.0)
    assert "There is no result yet." in visit(node, "/numbers").text


def test_each_check_of_health_says_its_own_trouble(tmp_path):
    node = make_node(tmp_path, 10)
    well = check_health(node.database, tmp_path, Limits(0, 2))
    assert well.status == "ok" and set(well.checks.values()) == {"ok"}
    amiss = {
        "disk": check_health(node.database, tmp_path, Limits(1 << 60, 2)),
        "queue": check_health(node.database, tmp_path, Limits(0, 1)),
    }
    assert [name for health in amiss.values() for name, said in health.checks.items() if said != "ok"] == [*amiss]
    assert {health.status for health in amiss.values()} == {"failing"}
    assert amiss["queue"].checks["queue"] == "1 images wait"
    assert "cannot be looked at" in check_health(node.database, tmp_path / "none", Limits(0, 2)).checks["disk"]
    with node.database.begin() as session:
        session.execute(text("ALTER TABLE jobs RENAME TO elsewhere"))
    found = check_health(node.database, tmp_path, Limits(0, 2))
    silent = {name for name, said in found.checks.items() if said == "the database does not answer (OperationalError)"}
    assert found.status == "failing" and silent == {"queue", "scoring"} and found.checks["database"] == "ok"


def test_a_page_that_fails_says_nothing_of_why_to_its_reader_nor_the_log(tmp_path, caplog):
    node = make_node(tmp_path, 10)
    with node.database.begin() as session:
        session.execute(text("ALTER TABLE verdicts RENAME TO secret"))
    with caplog.at_level(logging.ERROR, "monai_anomaly.node"):
        answer = visit(node, "/")
    assert answer.status_code == 500 and "verdicts" not in answer.text and "SELECT" not in answer.text
    assert [record.getMessage() for record in caplog.records if record.name == "monai_anomaly.node"] == [
        "a page failed: OperationalError"
    ]


def test_orders_by_time_are_each_others_mirror(tmp_path):
    node = make_node(tmp_path, 10)
    lists = [visit(node, f"/?order={order}").text.split('class="open"')[1:] for order in ("newest", "oldest")]
    newest, oldest = ([part.partition("Case ")[2].partition("<")[0] for part in each] for each in lists)
    assert newest == oldest[::-1] == [str(number) for number in range(1, 11)]


def test_a_picture_that_went_or_is_none_any_more_is_not_found(tmp_path):
    node = make_node(tmp_path, 10)
    (tmp_path / "results" / "shared" / "map.png").write_bytes(b"no picture")
    assert visit(node, "/case/1/thumbnail.png").status_code == 404
    shutil.rmtree(tmp_path / "results")
    assert visit(node, "/case/1/picture.png").status_code == 404
    assert "not there any more" in visit(node, "/case/1").text


def test_thumbnails_are_made_once_and_the_oldest_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(context, "_MOST_THUMBNAILS", 2)
    made: list[str] = []
    kept = context.Thumbnails()
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.touch()
    for path in [*paths, paths[2], paths[0]]:
        kept.of(path, lambda each: made.append(each.name) or b"")
    assert made == ["a", "b", "c", "a"]


def test_another_try_is_in_the_audit_log_and_of_no_case_it_is_not_found(tmp_path):
    node = make_node(tmp_path, 10)
    node.audit = Log()
    with node.database.begin() as session:
        session.scalars(select(Delivery).where(Delivery.job_id == 2)).one().state = "dead"
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    page = client.get("/case/2").text
    assert "Try again" in page
    key = page.partition('name="form_key" value="')[2].partition('"')[0]
    assert client.post("/case/2/again", data={"form_key": key}).headers["location"] == "/case/2"
    assert client.post("/case/11/again", data={"form_key": key}).status_code == 404
    assert (
        client.post("/case/9/verdict?at=3&order=oldest", data={"form_key": key, "verdict": "agree"}).status_code == 409
    )
    verdict = {"form_key": key, "verdict": "agree", "note": "a\0b"}
    assert client.post("/case/1/verdict", data=verdict).status_code == 422
    assert node.audit == [("again", {"job": 2, "reader": "local"})]
    with node.database.read() as session:
        assert session.scalars(select(Delivery.state).where(Delivery.job_id == 2)).one() == "waiting"


@pytest.mark.parametrize("path", ["/case/1?at=x", "/case/1?at=99999999999", "/case/1?at=²"])
def test_a_place_in_the_list_that_is_none_is_left_out(tmp_path, path):
    page = visit(make_node(tmp_path, 10), path)
    assert page.status_code == 200 and 'rel="prev"' not in page.text and 'rel="next"' not in page.text


@pytest.mark.parametrize("path", ["/numbers?day=tomorrow", "/case/x"])
def test_an_address_that_no_page_writes_is_a_sentence(tmp_path, path):
    answer = visit(make_node(tmp_path, 1), path)
    assert answer.status_code == 400 and "<h1>" in answer.text


def test_ages_have_one_unit():
    ages = {-3: "0 s", 59.4: "59 s", 60: "1 min", 3600: "1 h", 90000: "1 d"}
    assert {seconds: age(seconds) for seconds in ages} == ages
