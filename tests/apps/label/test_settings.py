# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.label.settings import TRAINED_HERE, find_detectors, read_settings
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError
from tests.helpers.doors import calibrate, write_model


def test_detectors_have_their_methods_name_or_the_one_that_is_given(tmp_path):
    path = write_model(tmp_path)
    settings = read_settings({"models": f"{path},other={tmp_path}", "sam2": "false"})
    detectors = find_detectors(settings, tmp_path / "home")
    assert list(detectors) == ["sepiad", "other", TRAINED_HERE]
    assert detectors["other"].path == path and detectors[TRAINED_HERE].path is None
    with pytest.raises(ConfigError, match="there is no detector 'trained_here' yet; train it"):
        detectors[TRAINED_HERE].get()
    with pytest.raises(ConfigError, match="two detectors are called 'sepiad'; write NAME=PATH"):
        find_detectors(read_settings({"models": f"{path},{path}"}), tmp_path)
    assert list(find_detectors(read_settings({}), tmp_path)) == [TRAINED_HERE]


def test_a_detector_is_opened_again_when_another_is_in_its_place(tmp_path):
    path = write_model(tmp_path)
    served = find_detectors(read_settings({"models": str(path)}), tmp_path)["sepiad"]
    first = served.get()
    assert served.get() is first
    write_model(tmp_path, name="SimSID")
    assert served.get().trained.spec["detector"] == "SimSID"


def test_what_detectors_are_told_reaches_them(tmp_path):
    path = write_model(tmp_path)
    calibration = calibrate(path)
    conf = {"models": str(path), "false_alarm_rate": "0.2", "device": "cpu"}
    detector = find_detectors(read_settings(conf), tmp_path)["sepiad"].get()
    assert detector.threshold == calibration.threshold(0.2) and detector.device.type == "cpu"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"model": "x"}, "there is no key 'model'; the nearest is 'models'"),
        ({"zzz": "x"}, "there are models, bundle, false_alarm_rate, device"),
        ({"false_alarm_rate": "10%"}, "must be a number between 0 and 1, got '10%'"),
        ({"models": "trained_here=x.pt"}, "'trained_here' cannot be a detector's name"),
        ({"models": "a b=x.pt"}, "'a b' cannot be a detector's name"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(conf, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(conf)


def test_a_mistake_ends_the_start(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        find_detectors(read_settings({"models": str(tmp_path / "model.pt")}), tmp_path)
    path = write_model(tmp_path)
    calibrate(path)
    with pytest.raises(CalibrationError, match="needs normals of 999 patients"):
        find_detectors(read_settings({"models": str(path), "false_alarm_rate": "0.001"}), tmp_path)
