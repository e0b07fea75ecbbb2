# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
from typing import Any

import pytest

from monai_anomaly.bundle.next_commands import command_after, training_files
from tests.helpers.repository import ROOT

START = ["python", "-m", "monai.bundle", "run"]


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
