# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monai_anomaly.apps.node.database.tables import Heartbeat, Job
from monai_anomaly.apps.node.opening import open_database
from tests.apps.node.database.rows import add_detector, add_job
from tests.helpers.node_supervisor import node_settings
from tests.helpers.repository import ROOT

LONG = 60.0


class Node:
    """A supervisor in a process of its own, with parts that are stand-ins, and a job that waits."""

    def __init__(self, folder: Path) -> None:
        self.database = open_database(node_settings(folder))
        self.job = add_job(self.database, add_detector(self.database))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.node_supervisor", str(folder)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def attempts(self) -> int:
        """Of the job, while a worker has it; else 0."""
        with self.database.read() as session:
            job = session.get_one(Job, self.job)
            return job.attempts if job.state == "scoring" else 0

    def worker(self) -> int:
        """Number of the process that has the job."""
        with self.database.read() as session:
            return int(str(session.get_one(Job, self.job).lease_owner).split(":")[1])

    def parts(self) -> dict[str, Heartbeat]:
        with self.database.read() as session:
            return {each.part: each for each in session.query(Heartbeat)}

    def is_empty(self) -> bool:
        """Whether no process of its group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def _wait(what: Callable[[], bool]) -> None:
    until = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    started = Node(tmp_path)
    yield started
    if not started.is_empty():
        os.killpg(started.process.pid, signal.SIGKILL)
    started.process.communicate()
    started.database.close()


def test_what_dies_is_started_again_and_two_signals_end_all_with_the_job_in_the_queue(node: Node) -> None:
    _wait(lambda: node.attempts() == 1)
    os.kill(node.worker(), signal.SIGKILL)
    _wait(lambda: node.attempts() == 2)  # at once, not when the lease has run out
    _wait(lambda: node.parts()["sender"].deaths >= 2)
    assert (node.parts()["worker 0"].deaths, node.parts()["receiver"].deaths) == (1, 0)

    node.process.send_signal(signal.SIGTERM)
    node.process.send_signal(signal.SIGTERM)
    said = node.process.communicate(timeout=LONG)[1].decode()
    assert node.process.returncode == 0, said
    _wait(node.is_empty)
    with node.database.read() as session:
        job = session.get_one(Job, node.job)
        assert (job.state, job.attempts, job.lease_owner) == ("queued", 1, None)  # the death was one, the end is none
    assert node.parts() == {}
    assert "worker 0 ended with code -9" in said and "sender ended with code 3" in said
    assert "Traceback" not in said


def test_children_of_a_killed_supervisor_end_by_themselves_and_give_the_job_back(node: Node) -> None:
    _wait(lambda: node.attempts() == 1 and len(node.parts()) == 3)
    node.process.kill()
    node.process.communicate(timeout=LONG)
    _wait(node.is_empty)
    with node.database.read() as session:
        job = session.get_one(Job, node.job)
        assert (job.state, job.attempts, job.lease_owner) == ("queued", 0, None)
