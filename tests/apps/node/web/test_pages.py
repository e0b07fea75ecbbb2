# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node's pages, asked in-process as a browser would."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select

from monai_anomaly.apps.node.database.tables import Detector, Job, Verdict
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.gate import FORM_BYTES
from monai_anomaly.metrics.exact_interval import exact_interval
from monai_anomaly.report.overlay import OPACITY, draw_overlay
from tests.helpers.node_pages import make_guarded_node, make_node
from tests.helpers.parsed_page import ParsedPage

LOOPBACK = "http://127.0.0.1:8080"


class Log:
    def __init__(self):
        self.lines = []

    def append(self, event, **content):
        self.lines.append((event, content))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    return make_node(tmp_path_factory.mktemp("node"), 120)


@pytest.fixture(scope="module")
def client(node):
    return TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)


def cases(page: str) -> list[int]:
    return [int(number) for number in re.findall(r">Case (\d+)</a>", page)]


def form_key(page: str) -> str:
    return re.findall(r'name="form_key" value="([^"]+)"', page)[0]


@pytest.mark.parametrize("path", ["/", "/?state=refused", "/case/106?at=3", "/case/9", "/case/10", "/numbers", "/zzz"])
def test_pages_are_whole_and_fetch_nothing_from_elsewhere(client, path):
    answer = client.get(path)
    ParsedPage.VOID |= {"link"}
    page = ParsedPage(answer.text)
    addresses = [values[key] for _, values in page.tags for key in ("src", "href", "action") if key in values]
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)
    assert not any("style" in values or any(key.startswith("on") for key in values) for _, values in page.tags)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-frame-options"] == "DENY"


def test_the_worklist_begins_with_the_most_anomalous_and_ends_with_what_has_no_score(client, node):
    with node.database.read() as session:
        jobs = {job.id: job for job in session.scalars(select(Job))}
    listed = [number for page in (1, 2, 3) for number in cases(client.get(f"/?page={page}").text)]
    trusted = [n for n in listed if jobs[n].score is not None and jobs[n].decision != "not_applicable"]
    assert sorted(listed) == sorted(jobs)
    assert listed[: len(trusted)] == trusted == sorted(trusted, key=lambda n: -jobs[n].score)
    assert all(jobs[n].score is None for n in listed[-36:])
    assert cases(client.get("/?page=4").text) == []


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("decision=anomalous", lambda job: job.decision == "anomalous"),
        ("device=device1", lambda job: job.device == "device1"),
        ("state=failed", lambda job: job.state == "dead"),
        ("state=undelivered&device=device2", lambda job: job.state == "sending" and job.device == "device2"),
        ("day=2001-02-03", lambda job: False),
    ],
)
def test_filters_give_those_cases_and_no_others(client, node, query, holds):
    with node.database.read() as session:
        expected = {job.id for job in session.scalars(select(Job)) if holds(job)}
    found = [number for page in (1, 2) for number in cases(client.get(f"/?{query}&page={page}").text)]
    assert len(found) == len(set(found)) and set(found) == expected


@pytest.mark.parametrize(
    "query", ["day=tomorrow", "decision=x", "state=x", "page=0", "page=²", "order=id;drop", "device=%00"]
)
def test_an_address_that_is_none_of_ours_is_refused(client, query):
    assert client.get(f"/?{query}").status_code == 400


def test_a_case_leads_to_its_neighbors_in_the_list(client):
    first, second, third = cases(client.get("/?decision=anomalous").text)[:3]
    page = client.get(f"/case/{second}?decision=anomalous&at=1").text
    assert f'rel="prev" href="/case/{first}?decision=anomalous&amp;at=0"' in page
    assert f'rel="next" href="/case/{third}?decision=anomalous&amp;at=2"' in page


def test_texts_of_files_and_people_are_escaped(tmp_path):
    node = make_node(tmp_path, 10)
    with node.database.begin() as session:
        job = session.get(Job, 1)
        job.reason = job.device = job.decision_reason = "<script>alert(1)</script>"
        session.add(Verdict(job_id=1, reader="<b>x", verdict="agree", note="<img src=x>"))
    client = TestClient(make_app(node), base_url=LOOPBACK)
    for path in ("/", "/case/1"):
        page = client.get(path).text
        assert "<script>alert" not in page and "<img src=x>" not in page and "<b>x" not in page
        assert "&lt;script&gt;" in page


def test_pictures_are_those_of_the_case_and_no_other_file(client, node, tmp_path):
    for name in ("picture", "map", "thumbnail"):
        assert client.get(f"/case/1/{name}.png").content.startswith(b"\x89PNG")
    assert client.get("/case/8/picture.png").status_code == 404  # it waits for its score
    assert client.get("/case/1/sr.png").status_code == 404
    with node.database.begin() as session:
        session.get(Job, 4).results = "../.."
    assert client.get("/case/4/picture.png").status_code == 404


def test_the_map_hides_the_picture_as_overlays_do(client):
    with Image.open(io.BytesIO(client.get("/case/2/map.png").content)) as shown:
        alpha, levels = np.asarray(shown.convert("RGBA"))[..., 3], np.asarray(shown)
    assert alpha[levels == 1].max() == 0 and alpha[levels == 255].min() == round(255 * float(OPACITY[255]))
    assert all(np.diff([alpha[levels == level][0] for level in np.unique(levels)]) >= 0)


def test_a_small_picture_has_the_map_over_it(client, node):
    folder = node.folder / "results" / "shared"
    with Image.open(folder / "picture.png") as picture, Image.open(folder / "map.png") as colors:
        source_map = (np.asarray(colors, np.float32) - 1) / 254
        drawn = draw_overlay(np.asarray(picture, np.float32)[None] / 255, source_map, (0.0, 1.0))
    with Image.open(io.BytesIO(client.get("/case/2/thumbnail.png").content)) as small:
        np.testing.assert_array_equal(np.asarray(small), drawn)  # this one is small enough as it is


def test_the_worklist_says_what_is_promised(client, tmp_path):
    assert "at most\n10 % of normal images" in client.get("/").text
    empty = TestClient(make_app(make_node(tmp_path, 0)), base_url=LOOPBACK)
    with empty.app.state.node.database.begin() as session:
        session.scalar(select(Detector)).false_alarm_rate = None
    assert "of normal images" not in empty.get("/").text


def test_a_case_without_a_decision_says_why_in_the_list(client):
    page = client.get("/?decision=not_applicable").text
    assert "The reader refused it" in page and 'class="number">score' not in page


def test_the_newest_verdict_counts_and_the_audit_log_has_each_first(tmp_path):
    node = make_node(tmp_path, 10)
    node.audit = Log()
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    key = form_key(client.get("/case/1").text)
    for verdict in ("agree", "disagree"):
        answer = client.post("/case/1/verdict?at=0", data={"form_key": key, "verdict": verdict, "note": "seen"})
        assert answer.status_code == 303 and answer.headers["location"] == "/case/1?at=0#verdict"
    assert "reader: disagree" in client.get("/").text
    page = client.get("/case/1").text
    assert page.index("<b>disagree</b>") < page.index("<li>agree")
    assert [(event, line["verdict"], line["reader"], line["job"]) for event, line in node.audit.lines] == [
        ("verdict", "agree", "local", 1),
        ("verdict", "disagree", "local", 1),
    ]
    assert "seen" not in str(node.audit.lines)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"verdict": "agree", "form_key": "x"}, 403),
        ({"verdict": "agree"}, 403),
        ({"verdict": "perhaps", "form_key": None}, 422),
        ({"verdict": "agree", "note": "x" * 501, "form_key": None}, 422),
        ({"verdict": "agree", "note": "x" * FORM_BYTES, "form_key": None}, 413),
    ],
)
def test_a_form_that_is_not_right_stores_nothing(tmp_path, fields, status):
    node = make_node(tmp_path, 1)
    client = TestClient(make_app(node), base_url=LOOPBACK)
    key = form_key(client.get("/case/1").text)
    sent = {name: key if value is None else value for name, value in fields.items()}
    assert client.post("/case/1/verdict", data=sent).status_code == status
    with node.database.read() as session:
        assert session.scalars(select(Verdict)).all() == []


def test_without_a_score_there_is_no_verdict(tmp_path):
    client = TestClient(make_app(make_node(tmp_path, 10)), base_url=LOOPBACK)
    key = form_key(client.get("/case/1").text)
    assert client.post("/case/9/verdict", data={"form_key": key, "verdict": "agree"}).status_code == 409


def test_forms_of_other_sites_and_other_names_of_this_machine_are_refused(client):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert client.post("/case/1/verdict", headers=headers).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.put("/").status_code == 405


def test_strangers_see_the_login_page_and_nothing_else(tmp_path):
    node, _ = make_guarded_node(tmp_path, 10)
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    for path in ("/", "/case/1", "/case/1/picture.png", "/numbers"):
        answer = client.get(path)
        assert answer.status_code == 303 and answer.headers["location"] == "/login"
    for path in ("/metrics",):
        assert client.get(path).status_code == 401
    assert client.post("/api/score", content=b"x").status_code == 401
    assert client.post("/case/1/verdict", data={"verdict": "agree"}).status_code in (303, 401)
    assert client.get("/health").status_code == 200


def test_a_token_opens_a_session_that_its_removal_ends(tmp_path):
    node, tokens = make_guarded_node(tmp_path, 10)
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    answer = client.post("/login", data={"token": tokens["rita"]})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert tokens["rita"] not in cookie and tokens["rita"] not in node.settings.tokens_file.read_text()
    assert "rita" in client.get("/").text
    node.settings.tokens_file.write_text("[]")
    assert client.get("/").status_code == 303


def test_logging_out_ends_the_session_on_the_node_too(tmp_path):
    node, tokens = make_guarded_node(tmp_path, 10)
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    client.post("/login", data={"token": tokens["rita"]})
    kept = dict(client.cookies)
    assert client.post("/logout", data={"form_key": "x"}).status_code == 403
    assert client.post("/logout", data={"form_key": form_key(client.get("/").text)}).status_code == 303
    client.cookies.update(kept)
    assert client.get("/").status_code == 303


def test_a_reader_revives_nothing_and_an_admin_does(tmp_path):
    node, tokens = make_guarded_node(tmp_path, 10)
    for name, status, state in (("rita", 403, "dead"), ("adam", 303, "queued")):
        client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
        client.post("/login", data={"token": tokens[name]})
        page = client.get("/case/10").text
        assert ("Try again" in page) == (name == "adam")
        assert client.post("/case/10/again", data={"form_key": form_key(page)}).status_code == status
        with node.database.read() as session:
            assert session.get(Job, 10).state == state


def test_wrong_tokens_make_an_address_wait(tmp_path):
    node, tokens = make_guarded_node(tmp_path)
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False)
    assert [client.post("/login", data={"token": "x"}).status_code for _ in range(6)] == [403] * 5 + [429]
    answer = client.post("/login", data={"token": tokens["rita"]})
    assert answer.status_code == 429 and 0 < int(answer.headers["retry-after"]) <= 300


def test_a_program_comes_with_its_token(tmp_path):
    node, tokens = make_guarded_node(tmp_path, 10)
    client = TestClient(make_app(node), base_url=LOOPBACK)
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {tokens['rita']}"})
    assert answer.status_code == 200 and 'monai_anomaly_node_jobs{state="dead"} 1.0' in answer.text
    assert client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize(("proxies", "status"), [(("testclient",), 303), (("127.0.0.1",), 200)])
def test_a_name_in_a_header_is_believed_from_the_proxy_alone(tmp_path, proxies, status):
    node = make_node(
        tmp_path, login=True, proxy_header="X-User", trusted_proxies=("127.0.0.1",), proxy_admins=("adam",)
    )
    peer = ("127.0.0.1" if status == 200 else "10.0.0.9", 4000)
    client = TestClient(make_app(node), base_url=LOOPBACK, follow_redirects=False, client=peer)
    answer = client.get("/", headers={"X-User": "adam"})
    assert answer.status_code == status
    assert ("adam, admin" in answer.text) == (status == 200)
    assert client.get("/", headers=[("X-User", "adam"), ("X-User", "eve")]).status_code == 303


def test_the_numbers_are_counted_and_their_interval_is_exact(client, node):
    with node.database.read() as session:
        jobs = session.scalars(select(Job)).all()
    day = jobs[0].created_at.date()
    jobs = [job for job in jobs if job.created_at.date() == day]  # at midnight some are of the day before
    decided = [job.decision for job in jobs if job.decision in ("normal", "anomalous")]
    low, high = exact_interval(decided.count("anomalous"), len(decided))
    text = " ".join(ParsedPage(client.get(f"/numbers?day={day}").text).text.split())
    assert f"received{len(jobs)} scored" in text
    assert f"{decided.count('anomalous')} of {len(decided)} images were called anomalous" in text
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in text
    assert "Nothing was scored" in client.get("/numbers?day=2001-02-03").text
