# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import monai_anomaly as ma
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError
from tests.helpers.calibrations import make_calibration
from tests.helpers.doors import calibrate, write_model


def test_the_package_is_light_until_the_door_is_opened():
    code = "import sys, monai_anomaly as ma; print('load' in dir(ma), {'torch', 'monai', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True set()"
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        _ = ma.sing


def test_a_file_or_its_folder_is_opened(tmp_path, monkeypatch):
    path = write_model(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    for place in (path, str(path), tmp_path, f"~/{tmp_path.name}/model.pt"):
        detector = ma.load(place)
        assert isinstance(detector, ma.AnomalyDetector) and detector.guard is not None
        assert detector.calibration is detector.threshold is None
        assert repr(detector) == "AnomalyDetector(SEPIAD, uncalibrated, input guard)"
    assert ma.load(path, guard=False).guard is None


def test_what_is_not_a_detector_is_one_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint .*model\.pt"):
        ma.load(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot be read"):
        ma.load(tmp_path / "model.pt")


def test_the_calibration_beside_the_weights_is_used(tmp_path):
    path = write_model(tmp_path)
    calibration = calibrate(path)
    detector = ma.load(path)
    assert detector.threshold == calibration.threshold(0.1)
    assert repr(detector).startswith("AnomalyDetector(SEPIAD, anomalous from ")
    assert ma.load(path, false_alarm_rate=0.2).threshold == calibration.threshold(0.2)
    assert ma.load(path, calibration=False).threshold is None
    (tmp_path / "calibration.json").rename(tmp_path / "mine.json")
    assert ma.load(path).threshold is None
    assert ma.load(path, calibration=tmp_path / "mine.json").threshold == calibration.threshold(0.1)
    for wanted in (True, tmp_path / "other.json"):
        with pytest.raises(CalibrationError, match="there is no calibration"):
            ma.load(path, calibration=wanted)


def test_a_calibration_that_does_not_fit_is_an_error_and_never_left_out(tmp_path):
    path = write_model(tmp_path)
    make_calibration().save(tmp_path / "calibration.json")
    with pytest.raises(CalibrationError, match=r"the weights are others.*calibration=False"):
        ma.load(path)
    calibrate(path)
    with pytest.raises(CalibrationError, match="frames is 'middle' there and 'all' here"):
        ma.load(path, frames="all")
    with pytest.raises(CalibrationError, match="smallest rate"):
        ma.load(path, false_alarm_rate=0.001)
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(CalibrationError):
        ma.load(path)


@pytest.mark.parametrize(
    "wrong", [{"frames": "first"}, {"aggregate": "sum"}, {"false_alarm_rate": 1.0}, {"batch_size": 0}]
)
def test_values_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ma.load(write_model(tmp_path), **wrong)


def test_a_checkpoint_of_a_training_has_no_guard(tmp_path):
    path = write_model(tmp_path)
    content = torch.load(path, weights_only=True)
    torch.save({key: content[key] for key in ("spec", "model")}, tmp_path / "checkpoint.pt")
    assert ma.load(tmp_path / "checkpoint.pt").guard is None
    assert isinstance(TrainedDetector.read(path).guard, InputGuard)
