# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from monai_anomaly.utils import stop_signals
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


def test_in_another_thread_than_the_first_nothing_is_watched():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=stop_signals.watch_signals)
    thread.start()
    thread.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_who_asked_is_told_how_far_the_run_is_and_what_to_do_next(number, code, monkeypatch, capfd):
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(stop_signals.gc, "freeze", lambda: None)
    try:
        stop_signals.watch_signals()
        stop_signals.wait_for_steps(True)
        stop_signals.advise("start again")
        assert not stop_signals.is_asked("after step 1 of 2")
        os.kill(os.getpid(), number)
        assert stop_signals.is_asked("after step 2 of 2")
        assert all(signal.getsignal(each) == signal.SIG_DFL for each in handlers)  # the next one ends it at once
        with pytest.raises(SystemExit) as ended:
            stop_signals.end_if_asked()
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        stop_signals.wait_for_steps(False)
        stop_signals.advise("")
    assert ended.value.code == code
    assert capfd.readouterr().err == f"\nended by {number.name} after step 2 of 2; start again.\n"
    stop_signals.end_if_asked()  # it was asked once
