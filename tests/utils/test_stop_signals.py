# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.helpers.repository import ROOT

PROGRAM = """
import os, signal, sys, time
from monai_anomaly.utils.stop_signals import advise, end_if_asked, is_asked, wait_for_steps, watch_signals
watch_signals()
try:
    exec(sys.argv[1])
finally:
    print("cleaned up", flush=True)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, code], capture_output=True, text=True, cwd=ROOT, timeout=60)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_program_with_one_sentence(number, code):
    ended = run(f"advise('start again'); os.kill(os.getpid(), {number:d}); time.sleep(60)")
    assert (ended.returncode, ended.stdout) == (code, "cleaned up\n")
    assert ended.stderr == f"ended by {number.name}; start again.\n"


def test_where_somebody_looks_it_waits_for_the_step():
    ended = run(
        "wait_for_steps(True); os.kill(os.getpid(), signal.SIGTERM); print('step'); "
        "assert is_asked('after step 3 of 9'); end_if_asked()"
    )
    assert (ended.returncode, ended.stdout) == (143, "step\ncleaned up\n")
    assert ended.stderr == "\nended by SIGTERM after step 3 of 9.\n"


def test_a_second_signal_ends_a_step_that_does_not_end():
    ended = run("wait_for_steps(True); os.kill(os.getpid(), 2); os.kill(os.getpid(), 2); time.sleep(60)")
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_nothing_ends_what_nobody_asked_to_end():
    assert run("wait_for_steps(True); assert not is_asked('x'); end_if_asked()").returncode == 0


def test_a_signal_that_is_ignored_stays_ignored():
    code = "signal.signal(2, signal.SIG_IGN); watch_signals(); os.kill(os.getpid(), 2); end_if_asked()"
    assert run(code).returncode == 0
