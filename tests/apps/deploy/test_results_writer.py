# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

import monai_anomaly as ma
from monai_anomaly.apps.deploy.bundle_records import BundleRecords
from monai_anomaly.apps.deploy.detector_file import detector_file
from monai_anomaly.apps.deploy.results_writer import ResultsWriter
from monai_anomaly.bundle.model_identity import model_identity
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.dicom_results import DicomResults
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError
from tests.helpers.doors import calibrate, write_model

SAMPLE = str(get_testdata_file("examples_rgb_color.dcm", download=False))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("model"), guard=False)
    calibrate(path)
    return ma.load(path, device="cpu")


def read(output):
    return [json.loads(line) for line in (output / "records.jsonl").read_text().splitlines()]


def test_objects_of_a_path_and_of_a_dataset_are_those_of_the_detector(detector, tmp_path):
    writer, pictures = ResultsWriter(tmp_path, detector), [SAMPLE, dcmread(SAMPLE)]
    results = list(detector.score(pictures))
    for source, result in zip(pictures, results, strict=True):
        writer.add(source, result)
    writer.add("gone.dcm", next(detector.score(["gone.dcm"])))
    assert not (tmp_path / "records.jsonl").exists()
    writer.finish(3)
    records = read(tmp_path)
    assert [record["status"] for record in records] == ["scored", "scored", "rejected"]
    expected = DicomResults(model_identity(detector.trained, detector.calibration)).make(SAMPLE, results[0])
    for record in records[:2]:
        assert list(record["dicom"]) == [made.kind for made in expected] == ["sr", "sc", "seg", "seg_binary"]
        for made in expected:
            assert (tmp_path / record["dicom"][made.kind]).read_bytes() == made.content
        with Image.open(tmp_path / record["map"]) as picture:
            assert (picture.height, picture.width) == results[0].source_shape
    assert records[2]["dicom_reason"] == "there is no score to report."
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 4


def test_results_are_complete_or_not_there(detector, tmp_path):
    (tmp_path / "records.jsonl").write_text("earlier\n")
    writer = ResultsWriter(tmp_path, detector)
    writer.add(SAMPLE, detector.score(SAMPLE))
    with pytest.raises(RuntimeError, match="2 files went in"):
        writer.finish(2)
    assert (tmp_path / "records.jsonl").read_text() == "earlier\n"
    with pytest.raises(ConfigError, match="uid_root"):
        ResultsWriter(tmp_path, detector, uid_root="none")


def test_the_bundle_operator_s_maps_are_written_as_they_are(tmp_path):
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    records = BundleRecords(tmp_path)
    records.add({"name": "a"}, levels, score=0.5, p_value=None, decision="uncalibrated")
    records.reject({"name": "b"}, ImageReadError("truncated", "it ends too early."))
    records.finish(2)
    scored, rejected = read(tmp_path)
    assert (scored["score"], scored["p_value"], scored["decision"]) == (0.5, None, "uncalibrated")
    assert (rejected["status"], rejected["code"], rejected["map"]) == ("rejected", "truncated", None)
    with Image.open(tmp_path / scored["map"]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), levels)


def test_the_one_detector_of_a_folder_is_found(tmp_path):
    for names in ([], ["model.pt", "detector/model.ts"]):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        with pytest.raises(CheckpointError, match="no detector" if not names else "2 detectors"):
            detector_file(tmp_path)
    assert detector_file(tmp_path, ("ts",)) == tmp_path / "detector" / "model.ts"
    assert detector_file(tmp_path / "model.pt") == tmp_path / "model.pt"
    (tmp_path / "checkpoint.pt").touch()  # a training's state is no detector to take unasked
    assert detector_file(tmp_path, ("pt",)) == tmp_path / "model.pt"
