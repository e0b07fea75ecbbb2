# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import pytest

from monai_anomaly.utils.one_by_one import OneByOne


def test_work_is_done_in_order_in_another_thread():
    done, threads = [], set()

    def work(number):
        done.append(number)
        threads.add(threading.current_thread())

    worker = OneByOne()
    for number in range(20):
        worker.do(work, number)
    worker.settle()
    assert done == list(range(20))
    (thread,) = threads
    assert thread is not threading.main_thread() and not thread.is_alive()
    worker.do(work, 20)  # and begins anew
    worker.settle()
    assert done[-1] == 20


@pytest.mark.parametrize("behind", [1, 2, 5])
def test_the_caller_waits_when_too_much_waits(behind):
    gate, begun = threading.Event(), []
    worker = OneByOne(behind)

    def fill():
        for number in range(behind + 1):
            worker.do(gate.wait)
            begun.append(number)

    caller = threading.Thread(target=fill)
    caller.start()
    caller.join(0.2)
    assert begun == list(range(behind)) and caller.is_alive()
    gate.set()
    caller.join(10)
    assert begun == list(range(behind + 1))
    worker.settle()


def test_an_error_reaches_the_caller_once_and_nothing_follows_it():
    done = []

    def work(number):
        if number == 1:
            raise OSError(28, "No space left on device")
        done.append(number)

    worker = OneByOne(behind=3)
    for number in range(3):
        worker.do(work, number)
    with pytest.raises(OSError, match="No space left"):
        for number in range(3, 9):
            worker.do(work, number)
    worker.settle()
    assert done == [0]


def test_settling_raises_what_nobody_was_told():
    worker = OneByOne()
    worker.do(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        worker.settle()
    worker.settle()


def test_behind_is_checked():
    with pytest.raises(ValueError, match="at least 1"):
        OneByOne(0)
