# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import re

import pytest

from monai_anomaly.apps.benchmark import stage_bar
from monai_anomaly.apps.benchmark.stage_bar import StageBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(stage_bar.time, "monotonic", lambda: now[0])
    return now


def on_terminal(monkeypatch, clock: list[float], bar: StageBar, *moments: float) -> list[str]:
    """Return what stood in the line at the start, at each moment, and at the end."""
    terminal = Terminal()
    monkeypatch.setattr(stage_bar.sys, "stderr", terminal)
    with bar:
        for moment in moments:
            clock[0] = 100 + moment
            bar.look()
    return [text.strip() for text in terminal.getvalue().split("\r")]


def test_a_bar_fills_with_the_budget_and_goes(monkeypatch, clock):
    shown = on_terminal(monkeypatch, clock, StageBar("[2/5] busi: sepiad, seed 0: training", 60.0), 15.2, 60.4, 75.0)
    for passed, percent in (("0", "0"), ("15", "25"), ("60", "100"), ("75", "100")):
        assert any(
            re.match(rf"\[2/5\] busi: sepiad, seed 0: training, {passed} of 60 s +{percent}%\|", text) for text in shown
        )
    assert shown[-1] == ""


def test_without_a_budget_the_seconds_count(monkeypatch, clock):
    shown = on_terminal(monkeypatch, clock, StageBar("busi: baselines: scoring"), 7.0, 8.0)
    assert "busi: baselines: scoring, 7 s" in shown and "busi: baselines: scoring, 8 s" in shown
    assert shown[-1] == ""


def test_a_bar_goes_when_the_stage_is_interrupted(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(stage_bar.sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), StageBar("x", 60.0):
        raise KeyboardInterrupt
    assert terminal.getvalue().split("\r")[-1].strip() == ""


def test_elsewhere_one_line_says_what_begins(capsys):
    for bar in (StageBar("a: training", 60.0), StageBar("a: evaluation")):
        with bar:
            bar.look()
            bar.look()
    assert capsys.readouterr().err == "a: training, 60 s and some for start\na: evaluation\n"
