# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_anomaly.apps.benchmark.process_usage import Usage, run_measured

SPIN = "import time\nend = time.process_time() + .4\nwhile time.process_time() < end: pass"


def measure(code: str, folder: Path, limit: float = math.inf) -> Usage:
    return run_measured([sys.executable, "-c", code], folder / "log", limit_seconds=limit)


@pytest.fixture
def no_graphics(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")


def test_time_and_what_was_printed(tmp_path, no_graphics):
    used = measure(SPIN + "\nimport sys\nprint('out')\nprint('err', file=sys.stderr)", tmp_path)
    assert (used.exit_code, used.timed_out, used.gpu_memory_mb) == (0, False, None)
    assert used.cpu_seconds >= 0.4 and used.seconds >= 0.4
    assert (tmp_path / "log.out").read_text() == "out\n"
    assert (tmp_path / "log.err").read_text() == "err\n"


def test_waiting_is_not_working(tmp_path):
    used = measure("import time; time.sleep(.5)", tmp_path)
    assert used.seconds >= 0.5 > used.cpu_seconds


def test_memory_is_the_child_s_own(tmp_path):
    """Not that of this process, which holds more: it is what a child that is made from it would begin with."""
    ballast = bytearray(300 * 2**20)
    ballast[:: 2**10] = b"x" * len(ballast[:: 2**10])
    small = measure("pass", tmp_path).peak_memory_mb
    large = measure("b = b'x' * (100 * 2**20)", tmp_path).peak_memory_mb
    assert small < 60
    assert 100 < large - small + 5 < 130
    del ballast


def test_children_of_the_command_count(tmp_path):
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])"
    assert measure(code, tmp_path).cpu_seconds >= 0.4


def test_exit_codes(tmp_path):
    assert measure("raise SystemExit(3)", tmp_path).exit_code == 3
    assert measure("import os; os.kill(os.getpid(), 9)", tmp_path).exit_code == -9


def test_somebody_may_look_while_it_runs(tmp_path):
    looks: list[int] = []
    code = "import time; time.sleep(1.7)"
    used = run_measured(
        [sys.executable, "-c", code], tmp_path / "log", limit_seconds=math.inf, look=lambda: looks.append(1)
    )
    assert used.exit_code == 0 and looks


def test_the_command_ends_when_looking_fails(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def look() -> None:
        if pid.exists() and pid.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_measured([sys.executable, "-c", code], tmp_path / "log", limit_seconds=math.inf, look=look)
    wait_for(lambda: not alive(int(pid.read_text())))


def test_limit(tmp_path):
    used = measure("import time; time.sleep(60)", tmp_path, limit=0.3)
    assert used.timed_out and used.exit_code < 0 and used.seconds < 30


def test_graphics_memory_is_the_largest_growth(tmp_path, monkeypatch):
    """A tool that shows 100, then 700, then 300 MiB on two devices together."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        f"#!{sys.executable}\nfrom pathlib import Path\np = Path({str(tmp_path / 'count')!r})\n"
        "n = len(p.read_text()) if p.exists() else 0\np.write_text('x' * (n + 1))\n"
        "print(50, [50, 650, 250, 250][min(n, 3)], sep='\\n')\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measure("import time; time.sleep(2.6)", tmp_path).gpu_memory_mb == 600


def test_a_tool_without_a_device(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measure("pass", tmp_path).gpu_memory_mb is None


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_the_command_ends_with_its_caller(tmp_path, sign):
    pid = tmp_path / "pid"
    inner = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys\nfrom pathlib import Path\nfrom monai_anomaly.apps.benchmark.process_usage import run_measured\n"
        f"run_measured([sys.executable, '-c', {inner!r}], Path({str(tmp_path / 'log')!r}), limit_seconds=99)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as caller:
        wait_for(lambda: pid.exists() and pid.read_text())
        caller.send_signal(sign)
    wait_for(lambda: not alive(int(pid.read_text())))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # a zombie that nobody waits for has ended, too
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def wait_for(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
