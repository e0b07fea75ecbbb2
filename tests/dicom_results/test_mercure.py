# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The module of ``integrations/mercure``, called as mercure does: a process, with two folders in its environment."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.helpers.doors import calibrate, write_model
from tests.helpers.repository import ROOT

MODULE = ROOT / "integrations" / "mercure" / "mercure_module.py"


def test_objects_lie_flat_in_the_output_folder_beside_a_result_without_names(tmp_path):
    folders = {"MERCURE_IN_DIR": tmp_path / "in", "MERCURE_OUT_DIR": tmp_path / "out"}
    for folder in folders.values():
        folder.mkdir()
    model = write_model(tmp_path, guard=False)
    calibrate(model)
    settings = {"checkpoint": str(model), "false_alarm_rate": 0.2, "device": "cpu"}
    (tmp_path / "in" / "task.json").write_text(json.dumps({"process": {"settings": settings}}))
    sample = str(get_testdata_file("examples_rgb_color.dcm", download=False))
    shutil.copy(sample, tmp_path / "in" / "Zebra^1.dcm")
    (tmp_path / "in" / "Zebra^2.dcm").write_bytes(b"no DICOM")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(folder) for name, folder in folders.items()}}
    command = [sys.executable, str(MODULE)]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr

    result = json.loads((tmp_path / "out" / "result.json").read_text())["monai_anomaly"]
    assert "Zebra" not in json.dumps(result)
    assert result["counts"] == {"scored": 1, "rejected": 1}
    scored, refused = sorted(result["files"], key=lambda file: file["status"], reverse=True)
    assert scored["decision"] in ("normal", "anomalous") and 0 < scored["p_value"] <= 1
    assert refused["score"] is None and refused["code"]
    objects = [dcmread(path) for path in (tmp_path / "out").glob("*.dcm")]
    assert sorted(made.Modality for made in objects) == ["SEG", "SEG", "SR", "US"]
    assert {made.StudyInstanceUID for made in objects} == {dcmread(sample).StudyInstanceUID}
    assert len(list((tmp_path / "out").iterdir())) == 5  # mercure sends on what lies here, not what lies below
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"task.json", "Zebra^1.dcm", "Zebra^2.dcm"}


@pytest.mark.parametrize("process", [{}, None, {"settings": {}}, [{"settings": {"false_alarm_rate": 0.1}}]])
def test_a_task_without_a_detector_is_one_sentence(process, tmp_path, monkeypatch):
    (tmp_path / "task.json").write_text(json.dumps({"process": process}))
    for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(SystemExit, match="must name a checkpoint"):
        runpy.run_path(str(MODULE), run_name="__main__")
    assert [path.name for path in tmp_path.iterdir()] == ["task.json"]
