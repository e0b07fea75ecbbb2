# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_anomaly.apps.acceptance.local_images import list_local_images
from monai_anomaly.data.errors import DataListError
from tests.helpers.dicom_files import make_dataset, save


@pytest.fixture
def site(tmp_path):
    for name in ("normals/1.png", "normals/p/2.png", "normals/p/3.png", "bad/1.png", "worse/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not empty")
    return tmp_path


def test_folders_of_one_kind(site):
    found = list_local_images(str(site / "normals"), [str(site / "bad"), str(site / "worse")]).items
    assert [item["label"] for item in found] == [0, 0, 0, 1, 1]
    assert [item["set"] for item in found] == ["normals"] * 3 + ["abnormal 1", "abnormal 2"]
    assert [item["index"] for item in found] == [0, 1, 2, 3, 4]
    groups = [item["group"] for item in found]
    assert groups[1] == groups[2]  # a folder in a folder is a patient
    assert len(set(groups)) == 4  # 1.png of three folders are three patients
    assert "1.png" not in json.dumps([{**item, "image": ""} for item in found])


def test_a_patient_of_dicom_headers_is_the_same_in_all_folders(site):
    for folder in ("normals", "bad"):
        dataset = make_dataset(np.zeros((64, 64), np.uint8))
        dataset.PatientID = "ZZ-TOP-1"
        save(site / folder / "x.dcm", dataset)
    found = list_local_images(str(site / "normals"), [str(site / "bad")]).items
    groups = [item["group"] for item in found if item["image"].endswith("x.dcm")]
    assert len(groups) == 2 and len(set(groups)) == 1


def test_a_data_set_gives_its_test_section(site):
    listed = [{"image": "normals/1.png", "label": 0}, {"image": "bad/1.png", "label": 1}]
    training = [{"image": "normals/p/2.png", "label": 0}]
    (site / "dataset.json").write_text(json.dumps({"training": training, "test": listed}))
    found = list_local_images(str(site)).items
    assert [(item["label"], item["set"]) for item in found] == [(0, "test section"), (1, "test section")]
    with pytest.raises(DataListError, match="leave --abnormal out"):
        list_local_images(str(site), [str(site / "worse")])


def test_folders_that_are_not_what_they_must_be(site):
    (site / "both" / "normal").mkdir(parents=True)
    (site / "both" / "abnormal").mkdir()
    (site / "empty").mkdir()
    with pytest.raises(DataListError, match="name each of them: monai-anomaly accept DIR/normal --abnormal"):
        list_local_images(str(site / "both"))
    with pytest.raises(DataListError, match="NORMALS: the folder is empty"):
        list_local_images(str(site / "empty"))
    with pytest.raises(DataListError, match="--abnormal: there is no folder"):
        list_local_images(str(site / "normals"), [str(site / "none")])
    with pytest.raises(DataListError, match="3 files are listed more than once"):
        list_local_images(str(site / "normals"), [str(site / "normals")])
