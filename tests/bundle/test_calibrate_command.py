# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import monai.bundle
import pytest

from monai_anomaly.bundle import calibrate_command
from tests.helpers.repository import ROOT

PROGRAM = str(Path(monai.bundle.__file__).with_name("__main__.py"))
START = ["python", "-m", "monai.bundle", "run", "calibrate", "--config_file"]
EVALUATE = "bundles/sepiad/configs/evaluate.json"
CALIBRATE = "bundles/sepiad/configs/calibrate.json"


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def told(monkeypatch, *words: str) -> list[str]:
    """Return the words of the command for an evaluation that was told these."""
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "--config_file", *words])
    return shlex.split(calibrate_command("bundles/sepiad", "m.pt", "data"))


def test_a_program_is_told_all():
    assert shlex.split(calibrate_command("bundles/sepiad", "a b/m.pt", "2024")) == [
        *START, CALIBRATE, "--checkpoint", "a b/m.pt", "--dataset_dir", "'2024'",
    ]  # fmt: skip


def test_defaults_of_the_command_line_are_those_of_the_calibration(monkeypatch):
    assert told(monkeypatch, EVALUATE) == [*START, CALIBRATE]


def test_what_both_know_is_repeated(monkeypatch):
    words = ["--dataset_dir", "my data", "--checkpoint", "'7'", "--frames", "all", "--split_shares", "[0.5, 0.2, 0.3]"]
    of_evaluation = ["--section", "test", "--gallery", "3", "--uncalibrated", "True", "--output_dir", "out"]
    assert told(monkeypatch, EVALUATE, *words, *of_evaluation) == [*START, CALIBRATE, *words]


def test_the_configuration_is_beside_that_of_the_evaluation(monkeypatch, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "calibrate.json").write_text('{"checkpoint": ""}')
    file = tmp_path / "configs" / "evaluate.json"
    expected = [*START, str(file.with_name("calibrate.json")), "--checkpoint", "m.pt"]
    assert told(monkeypatch, str(file), "--checkpoint", "m.pt", "--frames", "all") == expected
    assert told(monkeypatch, f"['{file}']", "--checkpoint", "m.pt") == expected
