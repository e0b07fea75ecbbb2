# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A node in processes of its own, to be sent to, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import create_engine, text

from measurements.node.memory import live, processes
from measurements.node.parts import find_parts
from measurements.node.servers.private import end_with_parent, free_port

__all__ = ["FINAL", "Node", "wait_until"]

DATABASE = "NODE_DATABASE"
GRACE_SECONDS = 10.0
"""How long helpers of Python's own, which see the end of the first process, may outlive it."""

FINAL = ("done", "refused", "dead")
"""States of a job that nothing more is done for."""


def wait_until(is_so: Callable[[], bool], seconds: float, what: str, pause: float = 0.1) -> None:
    """Wait until something is so.

    Args:
        is_so: asks.
        seconds: how long at most.
        what: is waited for, to be named in the error.
        pause: seconds between two askings.

    Raises:
        ValueError: when the time is over.
    """
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise ValueError(f"{what} was waited for {seconds:.0f} s in vain.")
        time.sleep(pause)


def _kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


class Node:
    """A node with a folder of its own.

    Args:
        folder: for its configuration, its log and all that it keeps.
        checkpoint: the detector; its calibration is that beside it.
        destinations: as in the configuration.
        more: sections of the configuration that are other than here.
        database: a URL; None leaves SQLite in the folder.
    """

    def __init__(
        self,
        folder: Path,
        checkpoint: Path,
        destinations: list[dict[str, Any]],
        more: Mapping[str, Any] | None = None,
        database: str | None = None,
    ) -> None:
        self.folder, self.title, self.port = folder, "ANOMALY", free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.configuration: dict[str, Any] = {
            "folder": "kept",
            "detector": {"checkpoint": str(checkpoint.resolve())},
            "dicom": {"title": self.title, "port": self.port, "calling_titles": ["ORTHANC", "SENDER"]},
            "destinations": destinations,
            "queue": {"min_free_gib": 0.1},
            **(more or {}),
        }
        self.started: Callable[[int], object] = lambda session: None  # called with each new session
        self._process: subprocess.Popen[bytes] | None = None
        self._alone: list[int] = []
        self._environment = dict(os.environ)
        if database:
            self.configuration["database"] = {"env": DATABASE}
            self._environment[DATABASE] = database
        self._engine = create_engine(database or f"sqlite:///{folder / 'kept' / 'node.db'}")

    @property
    def pid(self) -> int:
        """The number of its first process, which is that of its session."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "node.log").read_text(errors="replace")

    def start(self, *, wait: bool = True, only: str | None = None) -> None:
        """Start it.

        Args:
            wait: until it answers on its port.
            only: the parts to start, with commas between them; None starts all.

        Raises:
            ValueError: with the end of its log, when it ends or does not answer.
        """
        path = self.folder / "node.yaml"
        path.write_text(yaml.safe_dump(self.configuration))
        command = [sys.executable, "-m", "monai_anomaly", "serve", str(path), *(["--only", only] if only else [])]
        with (self.folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(signal.SIGTERM),  # it ends its own processes
                env=self._environment,
            )
        self.started(self._process.pid)
        if wait:
            try:
                wait_until(self._answers, 120, "the node's answer")
            except ValueError:
                self.kill()
                raise ValueError(f"the node does not answer: {self.log[-2000:]}") from None

    def kill(self, *, whole: bool = True) -> None:
        """End its processes at once, as a loss of power would.

        Args:
            whole: all of them; otherwise the first one alone, the supervisor.
        """
        if self._process is None:
            return
        if not whole:
            self._process.kill()
            self._process.wait()
            self._alone.append(self._process.pid)
            self._process = None
            return
        _kill_all({self._process.pid, *processes(self._process.pid)})
        self._process.wait()
        self._process = None

    def stop(self) -> int:
        """Ask it to end, and return how many of its processes were left then; they are killed, as it is after 30 s."""
        if self._process is None:
            return 0
        before = {pid for session in (self._process.pid, *self._alone) for pid in processes(session)}
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            pass
        end = time.monotonic() + GRACE_SECONDS
        while (left := live(before)) and time.monotonic() < end:
            time.sleep(0.1)
        self.kill()
        _kill_all(left)
        return len(left)

    def parts(self) -> dict[str, list[int]]:
        """Return the numbers of its processes by their parts, as :func:`~measurements.node.parts.find_parts` does."""
        ports = {"web_port": web["port"]} if (web := self.configuration.get("web")) else {}
        return find_parts(self.pid, self.port, **ports)

    def states(self) -> Counter[str]:
        """Return how many jobs there are of each state."""
        return Counter(dict(self.query("SELECT state, COUNT(*) FROM jobs GROUP BY state")))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of its database; none while it has no tables."""
        try:
            with self._engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(sql))]
        except Exception as error:  # not made yet, or its writer has it
            if "no such table" in str(error) or "does not exist" in str(error) or "unable to open" in str(error):
                return []
            raise

    def ended(self) -> int:
        """Return how many jobs are at their ends."""
        states = self.states()
        return sum(states[state] for state in FINAL)

    def database_size(self) -> int:
        """Return the bytes of its database."""
        if self._engine.dialect.name == "postgresql":
            return int(self.query("SELECT pg_database_size(current_database())")[0][0])
        return sum(path.stat().st_size for path in (self.folder / "kept").glob("node.db*"))

    def wait_for(self, number: int, seconds: float) -> None:
        """Wait until so many jobs have come to their ends.

        Raises:
            ValueError: when the time is over.
        """
        wait_until(lambda: self.ended() >= number, seconds, f"the end of {number} jobs")

    def close(self) -> None:
        """End it and its connections, and what a supervisor has left behind that was killed alone."""
        self.kill()
        _kill_all(pid for session in self._alone for pid in processes(session))
        self._engine.dispose()

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise ValueError("ended")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
