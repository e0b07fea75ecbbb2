# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys

import pytest

from measurements import start
from measurements.start import main
from monai_anomaly.utils.exceptions import TrainingError


def test_the_median_of_whole_processes_is_printed(monkeypatch, capsys):
    spent = iter([1.0, 9.0, 2.0])
    monkeypatch.setattr(start, "commands", lambda *_: {"predict a": ["a"], "other": ["b"]})
    monkeypatch.setattr(start, "_cpu_seconds", lambda line: next(spent))
    assert main(["model.pt", "--only", "predict"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["predict", "a"] and "2.00 s of CPU  (1.00 to 9.00)  bar 6" in line


def test_the_processor_s_time_of_a_process_is_counted_and_not_its_sleep():
    loop = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(0.5)"
    assert start._cpu_seconds([sys.executable, "-S", "-c", loop]) == pytest.approx(0.3, abs=0.15)  # it counts in ticks


def test_a_command_that_fails_is_an_error_with_what_it_printed():
    with pytest.raises(TrainingError, match="failed: no such thing"):
        start._cpu_seconds([sys.executable, "-S", "-c", "raise SystemExit('no such thing')"])
