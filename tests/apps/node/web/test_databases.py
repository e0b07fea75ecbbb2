# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""PostgreSQL behind the pages: they are those of SQLite, and what people do is kept."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings, RetentionSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, Job, Verdict, now
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.apps.node.work.retention import remove_old
from tests.helpers.node_pages import fill
from tests.helpers.postgres import needs_postgres

pytestmark = [needs_postgres, pytest.mark.postgres]

OF_THE_MOMENT = re.compile(
    r'\b\d+ (s|min|h)\b|value="[\w-]{20,}"|(free_bytes|oldest_waiting_seconds|part_unheard_seconds\{[^}]*\}) \S+'
)
"""Ages, the form's key, the disk."""


class Pages:
    """A node's pages on a database, and what is below them."""

    def __init__(self, database: Database, folder, at, number: int) -> None:
        folder.mkdir()
        self.database, self.folder = database, folder
        fill(database, folder, number, at=at)
        self.client = TestClient(
            make_app(WebNode(database, folder, WebSettings(login=False))), base_url="http://127.0.0.1"
        )

    def text(self, path: str) -> str:
        text = OF_THE_MOMENT.sub("", self.client.get(path).text)
        return "\n".join(sorted(text.splitlines())) if path == "/metrics" else text

    def post(self, path: str, **fields: str) -> int:
        key = re.findall(r'name="form_key" value="([^"]+)"', self.client.get("/case/1").text)[0]
        return self.client.post(path, data={"form_key": key, **fields}, follow_redirects=False).status_code


@pytest.fixture(scope="module")
def both(postgres, tmp_path_factory):
    """Two nodes with the same 120 cases."""
    folder, at = tmp_path_factory.mktemp("nodes"), now().replace(microsecond=0)
    databases = {"sqlite": Database(f"sqlite:///{folder / 'node.db'}"), "postgres": Database(postgres.new_database())}
    yield SimpleNamespace(**{name: Pages(opened, folder / name, at, 120) for name, opened in databases.items()})
    for opened in databases.values():
        opened.close()


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?page=2", "/?page=3", "/?order=newest", "/?order=oldest&page=2", "/?decision=anomalous"),
        *(
            "/?state=undelivered&device=device2",
            "/?state=failed",
            "/?day=2001-02-03",
            "/?device=%C3%84",
            "/?page=100000",
        ),
        *("/case/1", "/case/6?decision=anomalous&at=1", "/case/9", "/case/10", "/case/121", "/numbers", "/metrics"),
        *("/?day=0001-01-01", "/?day=9999-12-31", "/?device=%00", "/case/2147483648", "/case/99999999999999999999"),
        *("/case/99999999999999999999/map.png", "/case/5?at=9999999"),
    ],
)
def test_pages_are_those_of_sqlite(both, path):
    answers = [node.client.get(path) for node in (both.sqlite, both.postgres)]
    assert answers[0].status_code == answers[1].status_code < 500
    assert both.sqlite.text(path) == both.postgres.text(path)


def test_verdicts_notes_and_another_try_are_kept(postgres, tmp_path):
    database = Database(postgres.new_database())
    node = Pages(database, tmp_path / "node", now(), 10)
    note = "“Ä” 漢字 \U0001f9e0 'quoted'; -- <i>"
    assert node.post("/case/1/verdict", verdict="agree", note=note) == 303
    assert node.post("/case/1/verdict", verdict="disagree") == 303
    assert node.post("/case/1/verdict", verdict="agree", note="a\0b") == 422
    assert node.post("/case/11/verdict", verdict="agree") == 404
    assert node.post("/case/99999999999999999999/verdict", verdict="agree") == 400
    with database.read() as session:
        assert [(each.verdict, each.note) for each in session.scalars(select(Verdict).order_by(Verdict.id))] == [
            ("agree", note),
            ("disagree", None),
        ]
    assert "reader: disagree" in node.text("/")
    with database.begin() as session:
        waiting = session.scalars(select(Delivery).where(Delivery.job_id == 2)).one()
        waiting.state = "dead"
    assert node.post("/case/2/again") == 303 and node.post("/case/10/again") == 303
    with database.read() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.job_id == 2)).one()
        assert (delivery.state, delivery.attempts) == ("waiting", 0)
        assert (session.get_one(Job, 10).state, session.get_one(Job, 2).state) == ("queued", "sending")
    database.close()


def test_retention_leaves_what_is_not_delivered(postgres, tmp_path):
    database = Database(postgres.new_database())
    node = Pages(database, tmp_path / "node", now(), 10)
    settings = NodeSettings(
        folder=node.folder,
        detector=DetectorSettings(checkpoint=tmp_path / "model.pt"),
        retention=RetentionSettings(spool_days=0.0, results_days=0.0),
    )
    with database.begin() as session:
        for job in session.scalars(select(Job).order_by(Job.id)):
            job.instance.path, job.finished_at = f"spool/{job.id}", job.scored_at
            if job.results:
                shutil.copytree(node.folder / job.results, node.folder / "results" / str(job.id))
                job.results = f"results/{job.id}"
    remove_old(settings, database, Spool(node.folder))  # 2, 4 and 6 are being sent, 9 was refused, 8 and 10 wait
    pages = {number: node.text(f"/case/{number}") for number in (1, 2)}
    assert "not there any more" in pages[1] and "not there any more" not in pages[2]
    with database.read() as session:
        kept = [job.id for job in session.scalars(select(Job).order_by(Job.id)) if job.instance.path is not None]
    assert kept == [2, 4, 6, 8, 10]
    database.close()
