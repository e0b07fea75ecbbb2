# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings, RetentionSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, Instance, Job, Refusal, Verdict, now
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.work import retention
from monai_anomaly.apps.node.work.retention import remove_old
from tests.apps.node.database.rows import add_detector, add_job, delivery

START = now()


class Node:
    """A folder and a database, and a clock that can be put forward."""

    def __init__(self, folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.spool = database, Spool(folder)
        self.settings = NodeSettings(
            folder=folder,
            detector=DetectorSettings(checkpoint=folder / "model.pt"),
            retention=RetentionSettings(spool_days=7, results_days=30, records_days=400),
        )
        self.detector = add_detector(database)
        self.at = START
        monkeypatch.setattr(retention, "now", lambda: self.at)

    def add(self, state: str, waiting: bool = False, finished: datetime | None = START) -> int:
        """Add a job of an image received at the start, with a file, results, a delivery and a verdict."""
        number = add_job(self.database, self.detector, state=state, finished_at=finished)
        with self.database.begin() as session:
            job = session.get_one(Job, number)
            job.instance.path, job.results = f"spool/{number}", f"results/0/{number}" if state == "done" else None
            (self.settings.folder / job.instance.path).write_text("image")
            if job.results is not None:
                (self.settings.folder / job.results).mkdir(parents=True)
                (self.settings.folder / job.results / "sr.dcm").write_text("report")
            sent = delivery(number)
            sent.state = "waiting" if waiting else "accepted"
            session.add_all([sent, Verdict(job_id=number, reader="rita", verdict="agree")])
        return number

    def remove(self, days: float) -> tuple[int, int, int]:
        self.at = START + timedelta(days=days)
        return remove_old(self.settings, self.database, self.spool)

    def numbers(self) -> dict[str, int]:
        kinds = (Instance, Job, Delivery, Verdict)
        with self.database.read() as session:
            return {kind.__tablename__: session.scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds}


@pytest.fixture
def node(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, database, monkeypatch)


def test_files_go_then_results_then_rows_and_each_at_its_time(node: Node) -> None:
    node.add("done")
    node.add("refused")
    assert [node.remove(days) for days in (6, 8, 31, 399)] == [(0, 0, 0), (0, 2, 0), (1, 0, 0), (0, 0, 0)]
    assert set(node.numbers().values()) == {2}
    assert node.remove(401) == (0, 0, 2)
    assert set(node.numbers().values()) == {0}
    assert [path for path in (node.settings.folder / "results").rglob("*") if path.is_file()] == []


def test_nothing_goes_of_what_is_not_settled(node: Node) -> None:
    for state in ("queued", "scoring", "scored", "dead"):
        node.add(state, finished=None)
    node.add("sending", waiting=True, finished=None)
    late = node.add("done", finished=START + timedelta(days=399))  # its destination was down for a year
    assert node.remove(401) == (0, 1, 0)
    assert set(node.numbers().values()) == {6}
    assert node.remove(399 + 401) == (1, 0, 1)
    with node.database.read() as session:
        assert session.get(Job, late) is None
        assert session.scalar(select(func.count()).select_from(Job)) == 5


def test_an_image_with_a_job_of_another_detector_stays_until_both_are_old(node: Node) -> None:
    first, second = node.add("done"), add_detector(node.database, "v2")
    with node.database.begin() as session:
        instance = session.get_one(Job, first).instance_id
        other = Job(instance_id=instance, detector_id=second, state="done")
        other.finished_at = START + timedelta(days=100)
        session.add(other)
    assert node.remove(401) == (1, 1, 0)
    assert node.remove(501) == (0, 0, 1)


def test_refusals_at_the_door_go_too(node: Node) -> None:
    with node.database.begin() as session:
        for days in (0, 300):
            hour = START + timedelta(days=days)
            session.add(Refusal(hour=hour, origin="folder", code="not_dicom", reason="", number=1))
    node.remove(401)
    with node.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Refusal)) == 1


def test_the_file_of_sqlite_gets_smaller_by_and_by_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(tmp_path, Database(f"sqlite:///{tmp_path / 'node.db'}"), monkeypatch)

    def pages() -> int:
        with node.database.read() as session:
            return session.connection().exec_driver_sql("PRAGMA page_count").scalar() or 0

    sizes = []
    for _ in range(3):
        with node.database.begin() as session:
            for number in range(300):
                text = f"{_}.{number}"
                instance = Instance(
                    **{"sop_instance_uid": text, "sop_class_uid": "1.2", "digest": text, "size": 1, "origin": "folder"},
                    **{"received_at": node.at},
                )
                job = Job(instance=instance, detector_id=node.detector, state="done", finished_at=node.at)
                job.record = {"text": "x" * 2000}
                session.add(job)
        full = pages()
        node.at += timedelta(days=401)
        rounds = [remove_old(node.settings, node.database, node.spool).records for _ in range(4)]
        assert rounds == [100, 100, 100, 0]
        sizes.append((full, pages()))
    assert all(after < full / 4 for full, after in sizes)
    assert sizes[2][0] <= sizes[0][0] * 1.05
