# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Run a command in a process of its own and say what it took.

The command's parent is a small Python process, because on Linux a child's peak memory starts with what its parent held
when it was made: a child of this program, which has imported PyTorch, would never have a peak below that.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Usage", "run_measured"]

_GRACE = 5.0
"""Seconds between asking a process to end and ending it."""
_LOOK = 0.5
"""Seconds between two calls of what shows that a process runs."""


class Usage(NamedTuple):
    """What a command took.

    Args:
        exit_code: of the command; minus the signal's number where one ended it.
        seconds: on the clock, with the start of the interpreter.
        cpu_seconds: of processor time, with those of its own children.
        peak_memory_mb: largest resident memory of one of its processes, in MiB.
        gpu_memory_mb: largest growth of the used memory of all NVIDIA devices, in MiB, looked at once a second; it is
            the command's own where nobody else uses them. None without a device.
        timed_out: whether it was ended because it ran past its limit.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    gpu_memory_mb: float | None
    timed_out: bool


def run_measured(
    command: Sequence[str], log: Path, *, limit_seconds: float, look: Callable[[], None] | None = None
) -> Usage:
    """Run a command to its end; whatever ends this process or this call ends the command, too.

    Args:
        command: the program and its arguments.
        log: ``log.out`` and ``log.err`` get what it prints, ``log.json`` what it took.
        limit_seconds: ends it after this long; ``inf`` for no limit.
        look: called about twice a second while the command runs, to show that it does.
    """
    usage = log.with_suffix(".json")
    helper = [sys.executable, "-m", __name__, str(usage), str(limit_seconds), *command]
    with open(log.with_suffix(".out"), "wb") as out, open(log.with_suffix(".err"), "wb") as err:
        with subprocess.Popen(
            helper, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        ) as process:
            try:
                _wait(process, look)
            except BaseException:
                _end_group(process)
                raise
    if process.returncode:
        raise RuntimeError(f"the process that measures ended with {process.returncode}.")
    return Usage(**json.loads(usage.read_text(encoding="utf-8")))


def _wait(process: subprocess.Popen[bytes], look: Callable[[], None] | None) -> None:
    while True:
        try:
            process.wait(None if look is None else _LOOK)
            return
        except subprocess.TimeoutExpired:
            if look is not None:
                look()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _main(usage: str, limit: str, *command: str) -> None:
    """Do what the small process is for."""
    parent, start = os.getppid(), time.monotonic()
    graphics = _GraphicsMemory()
    process = subprocess.Popen(command)
    timed_out = False
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if os.getppid() != parent:
            _end_others(process)
            return
        if not timed_out and time.monotonic() - start > float(limit):
            timed_out = True
            _end_others(process)
        graphics.look()
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    result = Usage(
        process.returncode,
        time.monotonic() - start,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        graphics.growth(),
        timed_out,
    )
    Path(usage).write_text(json.dumps(result._asdict()), encoding="utf-8")


def _end_others(process: subprocess.Popen[bytes]) -> None:
    """End all processes of the group but this one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:  # not process.wait: it would take the usage away
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.05)
    process.kill()


class _GraphicsMemory:
    """The largest growth of the NVIDIA devices' used memory since this was made."""

    def __init__(self) -> None:
        self._tool = shutil.which("nvidia-smi")
        self._first = self._most = self._read_used_memory()
        self._last = time.monotonic()

    def look(self) -> None:
        """Read it again, once a second."""
        if self._most is None or time.monotonic() - self._last < 1.0:
            return
        self._last = time.monotonic()
        self._most = max(self._most, self._read_used_memory() or 0.0)

    def growth(self) -> float | None:
        """In MiB."""
        return None if self._most is None or self._first is None else self._most - self._first

    def _read_used_memory(self) -> float | None:
        if self._tool is None:
            return None
        query = [self._tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10)
            return sum(float(line) for line in done.stdout.split())
        except (OSError, subprocess.SubprocessError, ValueError):  # no driver, or a device that does not say
            return None


if __name__ == "__main__":
    _main(*sys.argv[1:])
