# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import monai.bundle
import pytest

from monai_anomaly.bundle.next_commands import calibrate_command, command_after, training_files
from tests.helpers.repository import ROOT

START = ["python", "-m", "monai.bundle", "run"]
PROGRAM = str(Path(monai.bundle.__file__).with_name("__main__.py"))


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def words_after(role: str, **keys: Any) -> list[str]:
    root = "bundles/sepiad"
    run = {"bundle_root": root, "output_dir": f"{root}/output", "ckpt_dir": f"{root}/models", **keys}
    return shlex.split(command_after(role, **run))


def test_what_the_bundle_knows_is_not_told():
    evaluate = [*START, "--config_file", "bundles/sepiad/configs/evaluate.json"]
    calibrate = [*START, "calibrate", "--config_file", "bundles/sepiad/configs/calibrate.json"]
    assert words_after("evaluate") == evaluate
    assert words_after("calibrate") == calibrate


def test_what_the_run_had_is_told_to_whom_it_concerns():
    run = {"output_dir": "runs/it's/out", "ckpt_dir": "runs/a b", "dataset_dir": "/data/$HOME"}
    told = ["--dataset_dir", "/data/$HOME", "--checkpoint", "runs/a b/model.pt"]
    more = ["--source_names", "True", "--device", "cpu"]
    assert words_after("calibrate", **run)[7:] == told
    assert words_after("calibrate", **run, allow_outside="/store")[9:11] == ["--allow_outside", "/store"]
    assert words_after("evaluate", **run)[6:] == [*told, "--output_dir", "runs/it's/out"]
    assert words_after("calibrate", **run, source_names=True, device="cpu")[7:] == [*told, *more]


@pytest.mark.parametrize("folder", ["2024", "1,2", "[a]", "True"])
def test_a_folder_that_reads_as_something_else_stays_a_text(folder):
    words = words_after("evaluate", dataset_dir=folder)
    assert words[words.index("--dataset_dir") + 1] == repr(folder)


def test_a_bundle_elsewhere_is_named(tmp_path):
    words = words_after("evaluate", bundle_root=str(tmp_path / "sepiad"))
    assert words[words.index("--bundle_root") + 1] == str(tmp_path / "sepiad")
    assert words[words.index("--config_file") + 1] == f"{tmp_path}/sepiad/configs/evaluate.json"


def test_from_inside_the_bundle(monkeypatch):
    monkeypatch.chdir(ROOT / "bundles" / "sepiad")
    words = words_after("evaluate", bundle_root=".", output_dir="./output", ckpt_dir="./models")
    assert words == [*START, "--config_file", "configs/evaluate.json"]


def test_an_overlay_is_given_beside_the_training():
    _, files = shlex.split(training_files("bundles/sepiad", "few_normals.json"))
    assert files == "['bundles/sepiad/configs/train.json','bundles/sepiad/configs/few_normals.json']"


# ---- after an evaluation without decisions --------------------------------------------------------------------------


EVALUATE = "bundles/sepiad/configs/evaluate.json"
CALIBRATE = [*START, "calibrate", "--config_file", "bundles/sepiad/configs/calibrate.json"]


def told(monkeypatch, *words: str) -> list[str]:
    """Return the words of the command for an evaluation that was told these."""
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "--config_file", *words])
    return shlex.split(calibrate_command("bundles/sepiad", "m.pt", "data"))


def test_a_program_is_told_all():
    assert shlex.split(calibrate_command("bundles/sepiad", "a b/m.pt", "2024")) == [
        *CALIBRATE, "--checkpoint", "a b/m.pt", "--dataset_dir", "'2024'",
    ]  # fmt: skip


def test_defaults_of_the_command_line_are_those_of_the_calibration(monkeypatch):
    assert told(monkeypatch, EVALUATE) == [*CALIBRATE]


def test_what_both_know_is_repeated(monkeypatch):
    words = ["--dataset_dir", "my data", "--checkpoint", "'7'", "--frames", "all", "--split_shares", "[0.5, 0.2, 0.3]"]
    of_evaluation = ["--section", "test", "--gallery", "3", "--uncalibrated", "True", "--output_dir", "out"]
    assert told(monkeypatch, EVALUATE, *words, *of_evaluation) == [*CALIBRATE, *words]


def test_the_configuration_is_beside_that_of_the_evaluation(monkeypatch, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "calibrate.json").write_text('{"checkpoint": ""}')
    file = tmp_path / "configs" / "evaluate.json"
    expected = [*START, "calibrate", "--config_file", str(file.with_name("calibrate.json")), "--checkpoint", "m.pt"]
    assert told(monkeypatch, str(file), "--checkpoint", "m.pt", "--frames", "all") == expected
    assert told(monkeypatch, f"['{file}']", "--checkpoint", "m.pt") == expected
