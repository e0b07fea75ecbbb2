# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from monai_anomaly.apps.node import pulse as pulse_module
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.queue import next_jobs
from monai_anomaly.apps.node.database.tables import Heartbeat, now
from monai_anomaly.apps.node.opening import machine_name, owner_name
from monai_anomaly.apps.node.pulse import HANG_SECONDS, Pulse
from monai_anomaly.apps.node.stopping import END_SECONDS, Stopping
from tests.apps.node.database.rows import add_detector, add_job, job_of


class Process:
    """A process of the node that has taken a job, its pulse, and a clock that can be put forward."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        detector = add_detector(self.database)
        self.job = add_job(self.database, detector)
        with self.database.begin() as session:
            next_jobs(session, detector, owner_name(), lease_seconds=-1)
        reading, self.writing = multiprocessing.Pipe(duplex=False)
        self.stopping = Stopping(reading)
        self.left: list[int] = []
        self.later = 0.0
        true = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: true() + self.later)
        self.pulse = Pulse(self.database, "worker 0", self.stopping, self.left.append)

    def state(self) -> tuple[str, int]:
        job = job_of(self.database, self.job)
        return job.state, job.attempts


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    return Process(tmp_path, monkeypatch)


def test_a_beat_renews_leases_and_says_how_long_nothing_was_done(process: Process) -> None:
    process.later = 100.0
    process.pulse.beat()
    process.pulse.look()
    lease = job_of(process.database, process.job).lease_until
    assert lease is not None and lease > now()
    with process.database.read() as session:
        found = session.get_one(Heartbeat, (machine_name(), "worker 0"))
    assert 100 <= found.silent_seconds < 110
    assert process.left == []


def test_a_process_that_hangs_is_ended_and_its_job_has_had_an_attempt(process: Process) -> None:
    process.stopping.is_asked()
    process.later = HANG_SECONDS - 60
    process.pulse.look()
    assert process.left == []
    process.later = HANG_SECONDS + 60
    process.pulse.look()
    assert process.left == [pulse_module.ENDED_BY_PULSE]
    assert process.state() == ("queued", 1)


def test_a_process_that_does_not_end_when_its_supervisor_is_gone_is_ended_and_that_is_no_attempt(
    process: Process,
) -> None:
    process.writing.close()
    process.pulse.look()
    process.later = END_SECONDS / 2
    process.pulse.look()
    assert process.left == []
    process.later = END_SECONDS + 1
    process.pulse.look()
    assert process.left == [pulse_module.ENDED_BY_PULSE]
    assert process.state() == ("queued", 0)


def test_a_database_that_is_away_does_not_end_the_pulse(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as changes:
        changes.setattr(pulse_module, "beat", fail)
        process.pulse.beat()
    process.pulse.beat()
    lease = job_of(process.database, process.job).lease_until
    assert lease is not None and lease > now()
