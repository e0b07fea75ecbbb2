# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``~`` is the user's folder in every path, also where no shell has expanded it, as in ``--output_dir=~/out``."""

from __future__ import annotations

import shutil

import pytest
from monai.bundle import run

from monai_anomaly.bundle import CheckedWorkflow
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.recipes import TINY
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import bundle_root, config

pytestmark = pytest.mark.usefixtures("at_root")


def test_every_path_of_every_run(small_phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "data").symlink_to(small_phantom)
    shutil.copytree(bundle_root(), tmp_path / "own" / "sepiad", ignore=shutil.ignore_patterns("output", "models"))
    places = {"bundle_root": "~/own/sepiad", "dataset_dir": "~/data"}
    for resume in (False, True):
        options = {**TINY["sepiad"], **places, "output_dir": "~/out", "ckpt_dir": "~/models", "resume": resume}
        run(workflow_name=CheckedWorkflow, run_id="training", config_file=config("train"), **options)
    assert {"history.csv", "tensorboard"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {
        "model.pt",
        "checkpoint.pt",
        "checkpoint.previous.pt",
    }

    places |= {"checkpoint": "~/models/model.pt", "calibration": "~/cal/calibration.json", "device": "cpu"}
    make_phantom(tmp_path / "site", seed=7, num_train=12, num_val=0, num_test=4)
    site = {"section": "normals", "dataset_dir": "~/site"}
    for name, more in (("calibrate", site), ("evaluate", {}), ("inference", {"false_alarm_rate": 0.5})):
        output = {} if name == "calibrate" else {"output_dir": f"~/{name}"}
        run(workflow_name=CheckedWorkflow, config_file=config(name), **{**places, **output, **more})
    assert (tmp_path / "cal" / "calibration.json").is_file()
    assert (tmp_path / "evaluate" / "report.html").is_file() and (tmp_path / "inference" / "records.jsonl").is_file()
    assert not (ROOT / "~").exists()


def test_what_a_bundle_writes_by_itself_goes_there_too(examples, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    shutil.copytree(bundle_root(), tmp_path / "sepiad", ignore=shutil.ignore_patterns("output", "models"))
    example = examples("sepiad")
    shutil.copytree(example.folder / "models", tmp_path / "sepiad" / "models")
    data = {"dataset_dir": str(example.data), "device": "cpu"}
    run(workflow_name=CheckedWorkflow, config_file=config("evaluate"), bundle_root="~/sepiad", **data)
    assert (tmp_path / "sepiad" / "output" / "metrics.json").is_file()
    assert not (ROOT / "~").exists()
