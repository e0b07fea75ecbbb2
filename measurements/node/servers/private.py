# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A server's process that listens on loopback, works in a temporary folder and ends with whoever started it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["PrivateServer", "end_with_parent", "free_port"]

PR_SET_PDEATHSIG = 1
UNPRIVILEGED = ("nobody", "daemon")
"""Who runs a server that root starts: the first of these that the system has."""

Server = TypeVar("Server", bound="PrivateServer")


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def end_with_parent(end_signal: signal.Signals) -> None:
    """Let this process get a signal when the one that started it dies, however that dies; a ``preexec_fn``."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(end_signal))


class PrivateServer:
    """A server with a folder of its own, which is removed at the end of the ``with``.

    Started by root, it runs as a user without rights, since PostgreSQL refuses to run as root and Orthanc should.

    Args:
        name: of the server, for messages.
        end_signal: what makes it end, also when this process dies.
    """

    def __init__(self, name: str, end_signal: signal.Signals = signal.SIGTERM) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._end_signal = end_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = next(entry for entry in pwd.getpwall() if entry.pw_name in UNPRIVILEGED)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    @property
    def pid(self) -> int:
        """The number of its process.

        Raises:
            RuntimeError: when it does not run.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run.")
        return self._process.pid

    def own(self) -> None:
        """Give the folder, and all in it, to the user that runs the server."""
        if self._as_user:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self._as_user["user"], self._as_user["group"])

    def __enter__(self: Server) -> Server:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Write into the folder what the server needs, before its first start."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it; also after :meth:`stop`, with the data it had."""
        raise NotImplementedError

    def run(self, command: Sequence[str]) -> None:
        """Run a command of the server's to its end, as its user.

        Raises:
            RuntimeError: with what it said, when it fails.
        """
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._as_user)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")

    def launch(self, command: Sequence[str], answers: Callable[[], bool], limit: float = 60.0) -> None:
        """Start the process and wait until it answers.

        Args:
            command: the program and its arguments.
            answers: whether the server does what it is for; it is asked until it says so.
            limit: seconds to wait.

        Raises:
            RuntimeError: with the end of its log, when it ends or does not answer.
        """
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=lambda: end_with_parent(self._end_signal),
                **self._as_user,
            )
        end = time.monotonic() + limit
        while not answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process and wait for it; its folder stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._end_signal)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def close(self) -> None:
        """End the process and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
