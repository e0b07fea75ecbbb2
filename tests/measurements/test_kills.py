# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""That a difference is seen. The kills themselves take minutes and are run by hand."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from measurements import kills
from measurements.kills import Bench

FILES = ("models/model.pt", "output/history.csv", "output/losses.csv", "inference/records.jsonl")


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Bench:
    """Return a bench whose uninterrupted run is made up, and whose runs do nothing."""
    bench = Bench.__new__(Bench)
    bench.whole, bench.random, bench.times = tmp_path / "whole", random.Random(0), {"calibrate": 0.0, "inference": 0.0}
    for name in FILES:
        (bench.whole / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.whole / name).write_text(name)
    (bench.whole / "calibration.json").write_text(json.dumps({"date": 1, "checksum": 2, "scores": [3]}))
    monkeypatch.setattr(kills, "_finish", lambda _: None)
    monkeypatch.setattr(Bench, "start", lambda *_, **__: 0)
    monkeypatch.setattr(Bench, "kill", lambda *_: None)
    return bench


@pytest.fixture
def killed(bench, tmp_path) -> Path:
    """Return what the same run leaves that was killed and resumed."""
    return Path(shutil.copytree(bench.whole, tmp_path / "killed"))


def test_what_is_the_same_is_no_difference(bench, killed):
    (killed / "calibration.json").write_text(json.dumps({"date": 5, "checksum": 6, "scores": [3]}))
    (killed / "inference" / "index.html").write_text("made today")
    assert bench._resumed(killed) == bench.calibration(killed) == bench.inference(killed) == []


def test_a_difference_is_named(bench, killed):
    for name in FILES[:2]:
        (killed / name).write_text("other")
    (killed / "calibration.json").write_text(json.dumps({"date": 1, "checksum": 2, "scores": [4]}))
    (killed / "inference" / "records.jsonl").rename(killed / "inference" / "records.jsonl.partial")
    assert bench._resumed(killed) == ["model.pt", "history.csv"]
    assert bench.calibration(killed) == ["half a calibration", "calibration.json"]
    assert bench.inference(killed) == ["records.jsonl", "records.jsonl.partial"]
