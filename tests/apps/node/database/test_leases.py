# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import timedelta

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.leases import LEASE_SECONDS, recover, release, renew
from monai_anomaly.apps.node.database.queue import (
    accept_deliveries,
    finish_job,
    next_deliveries,
    next_jobs,
    postpone_delivery,
)
from monai_anomaly.apps.node.database.tables import Delivery, Job, now
from tests.apps.node.database.rows import add_detector, add_job, delivery, job_of


def _take(database: Database, detector: int, owner: str, lease: float = LEASE_SECONDS, **others: int) -> list[int]:
    with database.begin() as session:
        return [job.id for job in next_jobs(session, detector, owner, lease_seconds=lease, **others)]


def _release(database: Database, owner: str, **how: bool) -> None:
    with database.begin() as session:
        release(session, owner, **how)


def _scored(database: Database, detector: int) -> int:
    """Return a job whose report waits for the PACS."""
    job = add_job(database, detector)
    assert _take(database, detector, "w:1:x") == [job]
    with database.begin() as session:
        assert finish_job(session, job, "w:1:x", {"score": 1.0}, [delivery(job)])
    return job


def _send(database: Database, owner: str, lease: float = LEASE_SECONDS) -> list[int]:
    with database.begin() as session:
        return [one.id for one in next_deliveries(session, "pacs", owner, lease_seconds=lease)]


def _deliveries(database: Database) -> list[Delivery]:
    with database.read() as session:
        return session.query(Delivery).order_by(Delivery.id).all()


def test_a_lease_that_is_renewed_is_not_taken_and_one_that_ran_out_is(database: Database) -> None:
    detector = add_detector(database)
    long, other = add_job(database, detector), add_job(database, detector)
    assert _take(database, detector, "here:1:x", lease=-1) == [long]
    assert _take(database, detector, "here:12:x", lease=-1) == [long]  # nobody renewed it
    with database.begin() as session:
        renew(session, "here:12")
        renew(session, "here:1")  # another process, though its number begins alike
    assert _take(database, detector, "there:1:x") == [other]
    lease = job_of(database, long).lease_until
    assert lease is not None and lease > now() + timedelta(seconds=LEASE_SECONDS / 2)
    with database.begin() as session:
        assert finish_job(session, long, "here:12:x", {"score": 1.0}, ())


def test_deliveries_are_renewed_too_and_who_lost_one_changes_nothing_but_that_it_arrived(database: Database) -> None:
    _scored(database, add_detector(database))
    (number,) = _send(database, "here:1:x", lease=-1)
    with database.begin() as session:
        renew(session, "here:1")
    assert _send(database, "there:1:x") == []

    with database.begin() as session:
        session.get_one(Delivery, number).lease_until = now() - timedelta(seconds=1)
    assert _send(database, "there:1:x") == [number]
    with database.begin() as session:
        postpone_delivery(session, number, "here:1:x", "no_answer", pause_seconds=60)
        renew(session, "here:1")
        release(session, "here:1")
    (held,) = _deliveries(database)
    assert (held.lease_owner, held.attempts, held.state) == ("there:1:x", 0, "waiting")
    with database.begin() as session:
        accept_deliveries(session, {number: "0x0000"})  # the object is there, whoever says it
    assert _deliveries(database)[0].state == "accepted"


def test_what_a_process_or_a_machine_held_is_put_back_and_nothing_of_another(database: Database) -> None:
    detector = add_detector(database)
    jobs = [add_job(database, detector) for _ in range(3)]
    for owner in ("here:1:x", "here:12:x", "here2:1:x"):
        _take(database, detector, owner)
    _release(database, "here:1")
    assert [job_of(database, job).state for job in jobs] == ["queued", "scoring", "scoring"]
    _release(database, "here")
    assert [job_of(database, job).lease_owner for job in jobs] == [None, None, "here2:1:x"]
    _release(database, "here2:1:x")
    assert job_of(database, jobs[2]).state == "queued"


def test_a_death_counts_as_an_attempt_and_the_end_of_the_node_does_not(database: Database) -> None:
    detector = add_detector(database)
    job = add_job(database, detector)
    for _ in range(9):  # more ends than there are attempts
        assert _take(database, detector, "here:1:x", most_attempts=2) == [job]
        _release(database, "here", attempt_counts=False)
    assert job_of(database, job).attempts == 0
    for attempts in (1, 2):
        assert _take(database, detector, "here:1:x", most_attempts=2) == [job]
        _release(database, "here")
        assert job_of(database, job).attempts == attempts
    assert _take(database, detector, "here:1:x", most_attempts=2) == []
    assert job_of(database, job).state == "dead"


def test_a_job_is_not_given_up_however_often_the_whole_node_ends_and_it_holds_up_no_other(database: Database) -> None:
    detector = add_detector(database)
    first, second = (add_job(database, detector) for _ in range(2))
    assert _take(database, detector, "here:1:x", most=2) == [first, second]
    for run in range(2, 20):
        with database.begin() as session:
            recover(session, "here")
        assert job_of(database, second).attempts == 1  # it is taken alone, too
        late = add_job(database, detector)
        assert _take(database, detector, f"here:{run}:x", most=8) == [late]  # those that were interrupted wait a while
        with database.begin() as session:
            assert finish_job(session, late, f"here:{run}:x", {"score": 1.0}, ())
            session.get_one(Job, first).next_attempt_at = now()
            session.get_one(Job, second).next_attempt_at = now() + timedelta(hours=1)
        assert _take(database, detector, f"here:{run}:x", most=8) == [first]
    assert job_of(database, first).attempts == 2

    for _ in range(3):
        _release(database, "here:19")  # its worker alone died: that counts
        _take(database, detector, "here:19:x")
    _release(database, "here:19")
    assert _take(database, detector, "here:20:x") == []
    assert job_of(database, first).state == "dead"


def test_deliveries_of_an_earlier_run_are_put_back(database: Database) -> None:
    _scored(database, add_detector(database))
    (number,) = _send(database, "here:1:x")
    with database.begin() as session:
        recover(session, "here")
    assert _send(database, "here:2:x") == [number]
