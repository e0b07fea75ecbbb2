# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import pytest

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.queue import (
    accept_deliveries,
    fail_job,
    finish_job,
    next_deliveries,
    next_jobs,
    postpone_delivery,
    refuse_job,
    revive,
)
from monai_anomaly.apps.node.database.tables import Delivery, Job
from tests.apps.node.database.rows import add_detector, add_job, delivery, job_of


@pytest.fixture
def detector(database: Database) -> int:
    return add_detector(database)


def _take(database: Database, detector: int, owner: str = "a", lease: float = 60, **others: int) -> list[int]:
    with database.begin() as session:
        return [job.id for job in next_jobs(session, detector, owner, lease_seconds=lease, **others)]


def _finish(database: Database, job: int, owner: str = "a", deliveries: tuple[Delivery, ...] = ()) -> bool:
    with database.begin() as session:
        return finish_job(session, job, owner, {"score": 1.5}, deliveries)


def test_jobs_are_taken_once_the_oldest_first_and_of_the_own_detector(database: Database, detector: int) -> None:
    add_job(database, add_detector(database, weights="other"))
    numbers = [add_job(database, detector) for _ in range(3)]
    assert _take(database, detector, most=2) == numbers[:2]
    assert _take(database, detector, "b", most=9) == numbers[2:]
    assert _take(database, detector, "c", most=9) == []


def test_workers_at_once_take_every_job_once(database: Database, detector: int) -> None:
    numbers = [add_job(database, detector) for _ in range(24)]
    taken: list[int] = []

    def work(owner: str) -> None:
        while jobs := _take(database, detector, owner, most=2):
            taken.extend(jobs)
            assert all(_finish(database, job, owner) for job in jobs)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # a worker that finds all others' rows locked sees nothing and ends; what is left is taken here
    work("last")
    assert sorted(taken) == numbers
    assert {job_of(database, job).state for job in numbers} == {"done"}


def test_who_lost_the_lease_changes_nothing(database: Database, detector: int) -> None:
    job = add_job(database, detector)
    assert _take(database, detector, "slow", lease=-1) == [job]
    assert _take(database, detector, "quick") == [job]
    assert not _finish(database, job, "slow", (delivery(job),))
    with database.begin() as session:
        assert not fail_job(session, job, "slow", "x", "y", pause_seconds=0, most_attempts=1)
        assert not refuse_job(session, job, "slow", "x", "y", {})
    with database.read() as session:
        assert session.query(Delivery).count() == 0
    assert job_of(database, job).state == "scoring"
    assert _finish(database, job, "quick")
    assert not _finish(database, job, "quick")  # not twice either
    assert job_of(database, job).score == 1.5


def test_a_job_that_was_tried_is_taken_alone_and_given_up_when_its_workers_end(
    database: Database, detector: int
) -> None:
    first, second = add_job(database, detector), add_job(database, detector)
    assert _take(database, detector, "a", lease=-1, most=2) == [first, second]  # and a is killed
    assert _take(database, detector, "b", lease=-1, most=2, most_attempts=2) == [first]  # b, too
    assert _take(database, detector, "c", most=2, most_attempts=2) == [second]
    dead = job_of(database, first)
    assert (dead.state, dead.code, dead.attempts) == ("dead", "worker_ended", 2)


def test_a_failed_job_waits_then_is_dead_and_can_be_revived(database: Database, detector: int) -> None:
    job = add_job(database, detector)
    for pause, state in ((60.0, "queued"), (0.0, "dead")):
        with database.begin() as session:
            session.get_one(Job, job).next_attempt_at = job_of(database, job).created_at
        assert _take(database, detector) == [job]
        with database.begin() as session:
            assert fail_job(session, job, "a", "no_memory", "why", pause_seconds=pause, most_attempts=2)
        assert job_of(database, job).state == state
        assert _take(database, detector) == []
    assert job_of(database, job).code == "no_memory"
    with database.begin() as session:
        assert revive(session, job)
        assert not revive(session, job)
    assert _take(database, detector) == [job]


def test_the_last_delivery_ends_the_job(database: Database, detector: int) -> None:
    job = add_job(database, detector)
    _take(database, detector)
    assert _finish(database, job, deliveries=(delivery(job, "sr"), delivery(job, "sc")))
    assert job_of(database, job).state == "scored"
    with database.begin() as session:
        sr, sc = (one.id for one in next_deliveries(session, "pacs", "s", lease_seconds=60))
        assert next_deliveries(session, "pacs", "t", lease_seconds=60) == []
        assert next_deliveries(session, "archive", "t", lease_seconds=60) == []
    with database.begin() as session:
        accept_deliveries(session, {sr: "0000"})
        postpone_delivery(session, sc, "s", "A700", pause_seconds=0)
    assert job_of(database, job).state == "sending"
    with database.begin() as session:
        (again,) = next_deliveries(session, "pacs", "s", lease_seconds=60)
        assert (again.id, again.attempts, again.reason) == (sc, 1, "A700")
        accept_deliveries(session, {sc: "0000"})
        accept_deliveries(session, {sc: "0000"})
    found = job_of(database, job)
    assert found.state == "done" and found.finished_at is not None


def test_last_deliveries_that_are_accepted_at_once_end_the_job(database: Database, detector: int) -> None:
    job = add_job(database, detector)
    _take(database, detector)
    kinds = ("sr", "sc", "seg", "seg_binary")
    assert _finish(database, job, deliveries=tuple(delivery(job, kind) for kind in kinds))
    with database.begin() as session:
        numbers = [one.id for one in next_deliveries(session, "pacs", "s", lease_seconds=60)]

    def accept(number: int) -> None:
        with database.begin() as session:
            accept_deliveries(session, {number: "0000"})

    threads = [threading.Thread(target=accept, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert job_of(database, job).state == "done"


def test_a_job_that_ends_without_a_delivery_keeps_why(database: Database, detector: int) -> None:
    job = add_job(database, detector, code="no_memory", reason="of an earlier attempt")
    _take(database, detector)
    with database.begin() as session:
        assert finish_job(session, job, "a", {"score": 1.0, "code": "missing_uid", "reason": "no study UID"}, ())
    found = job_of(database, job)
    assert (found.state, found.code, found.reason) == ("done", "missing_uid", "no study UID")
