# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal

import pytest

from measurements import busy_machine
from measurements.busy_machine import OURS, SETTINGS, main
from tests.helpers.fake_trainings import FakeTraining


class Training(FakeTraining):
    """Takes a minute by default, and three seconds with A."""

    def __init__(self, bundle, iterations, variables):
        super().__init__(3 if "A" in variables else 60)


def test_means_are_compared_with_the_first_setting(monkeypatch, capsys):
    monkeypatch.setattr(busy_machine, "RequestedTraining", Training)
    assert main(["--settings", "", "A=1", "--competitors", "0", "1", "--rounds", "2", "--iterations", "3"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in printed if "beside" in line] == [
        "beside 0 busy loops",
        "beside 1 busy loops",
    ]
    assert "as it is" in printed[1] and "mean  20.000" in printed[1] and printed[1].endswith(" 1.00")
    assert printed[2].split()[0] == "A=1" and "mean   1.000" in printed[2] and printed[2].endswith("20.00")


def test_busy_loops_run_and_are_ended():
    with busy_machine._busy_loops(2, seconds=60) as loops:
        assert [loop.poll() for loop in loops] == [None, None]
    assert [loop.poll() for loop in loops] == [-signal.SIGKILL] * 2


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_training_has_the_variables_of_its_setting_and_no_other_choice(monkeypatch, setting):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given = busy_machine._variables(setting)
    chosen = {name: given[name] for name in busy_machine.CHOICES if name in given}
    assert chosen == dict(pair.split("=") for pair in setting.split(",") if pair)
    assert given["PATH"] == os.environ["PATH"] and OURS in SETTINGS
