# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from monai_anomaly.apps.label.published import new_training, newest_model, trained_on
from monai_anomaly.apps.label.settings import Settings
from monai_anomaly.apps.label.training import Training
from monai_anomaly.apps.label.training_set import choose_images
from monai_anomaly.calibration.conformal import patients_needed
from monai_anomaly.utils.exceptions import ConfigError, TrainingError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.label_studies import FakeStudies


def images(entries):
    return {entry["image"].rpartition("/")[2] for entry in entries}


def test_images_without_a_verdict_are_learned_from_and_enough_are_held_out_to_calibrate(tmp_path):
    studies = FakeStudies(tmp_path / "studies", 40)
    studies.say("s00", verdict="abnormal")
    studies.say("s01", verdict="normal")
    studies.say("s02", b"unreadable")
    chosen = choose_images(studies, rate=0.1)
    assert chosen.counts == {
        "used": 37,
        "verdict abnormal, left out": 1,
        "verdict normal, left out": 1,
        "verdict unknown, left out": 1,
    }
    held = images(chosen.validation)
    assert len(held) == patients_needed(0.1) and not held & images(chosen.training)
    assert held | images(chosen.training) == {f"s{number:02d}.png" for number in range(3, 40)}
    assert set(chosen.images) == {f"s{number:02d}" for number in range(3, 40)}
    assert images(choose_images(studies, rate=0.1, seed=1).validation) != held
    assert choose_images(studies, rate=0.1).validation == chosen.validation
    with_normals = choose_images(studies, rate=0.1, with_normals=True)
    assert with_normals.counts["used"] == 38 and "s01" in with_normals.images and "s00" not in with_normals.images


def test_few_images_hold_a_tenth_out_and_too_few_are_refused(tmp_path):
    studies = FakeStudies(tmp_path / "studies", 12)
    assert len(choose_images(studies, rate=0.1).validation) == 2
    few = FakeStudies(tmp_path / "few", 3)
    with pytest.raises(TrainingError, match="images of 3 patients without a verdict, and it takes 4; add images"):
        choose_images(few, rate=0.1)


def test_other_images_of_a_patient_with_a_verdict_are_left_out_and_nobodys_name_is_written(tmp_path):
    studies = FakeStudies(tmp_path / "studies")
    header = dcmread(get_testdata_file("SC_rgb_small_odd.dcm", download=False))
    for number in range(12):
        header.PatientID = f"secret{number // 2}"
        header.SOPInstanceUID = f"1.2.3.{number}"
        header.save_as(studies.home / f"d{number:02d}.dcm")
    studies.say("d00", verdict="normal")
    chosen = choose_images(studies, rate=0.1)
    assert chosen.counts["of a patient with a verdict, left out"] == 1 and "d01" not in chosen.images
    groups = [entry["group"] for entry in (*chosen.training, *chosen.validation)]
    assert len(groups) == 10 and len(set(groups)) == 5
    assert "secret" not in json.dumps(chosen.datalist())


def test_a_training_is_the_newest_when_it_came_to_its_end(tmp_path):
    assert newest_model(tmp_path) is None and trained_on(tmp_path) == set()
    for name in ("one", "two"):
        with new_training(tmp_path) as folder:
            (folder / "models").mkdir()
            (folder / "models" / "model.pt").write_text(name)
            (folder / "images.json").write_text(json.dumps([name]))
    assert newest_model(tmp_path) == tmp_path / "0002" / "models" / "model.pt" and trained_on(tmp_path) == {"two"}
    with pytest.raises(RuntimeError), new_training(tmp_path) as folder:
        (folder / "left").write_text("x")
        raise RuntimeError
    assert newest_model(tmp_path).read_text() == "two"
    with new_training(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "models").mkdir()
        (folder / "models" / "model.pt").write_text("three")
    assert newest_model(tmp_path).read_text() == "three"


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Take the place of the two commands: a training that leaves a detector and a calibration of `scores`."""
    ran, model = [], tmp_path / "made"
    model.mkdir()
    write_model(model)

    def run(command, **_):
        assert command[:3] == [sys.executable, "-m", "monai_anomaly"]
        options = dict(zip(command[5::2], command[6::2], strict=True))
        ran.append((command[3], command[4], options))
        if command[3] == "train":
            Path(options["--ckpt_dir"]).mkdir()
            (model / "model.pt").rename(Path(options["--ckpt_dir"], "model.pt"))
            Path(options["--output_dir"]).mkdir()
            Path(options["--output_dir"], "history.csv").write_text("epoch,loss,auroc\n1,0.5,\n2,0.25,\n")
        else:
            groups = [str(number) for number in range(run.held)]
            calibrate(Path(options["--checkpoint"]), list(range(run.held)), groups=groups)
        return subprocess.CompletedProcess(command, 0)

    run.held = 12
    monkeypatch.setattr("monai_anomaly.apps.label.training.subprocess.run", run)
    return run, ran


def test_a_training_says_what_it_did_and_leaves_a_detector(tmp_path, commands):
    _, ran = commands
    studies = FakeStudies(tmp_path / "studies", 30)
    training = Training(tmp_path / "home", Settings(bundle="sepiad"))
    assert training.stats() == {}
    stats = training.run({"model": "trained_here", "max_minutes": 2, "keys": {"image_size": 32}}, studies)
    assert [(verb, bundle) for verb, bundle, _ in ran] == [("train", "sepiad"), ("calibrate", "sepiad")]
    assert ran[0][2]["--max_minutes"] == "2" and ran[0][2]["--image_size"] == "32"
    assert ran[0][2]["--dataset_dir"] == ran[1][2]["--dataset_dir"]
    assert ran[0][2]["--allow_outside"] == str(studies.home)
    assert (stats["stage"], stats["calibrated"], stats["reason"]) == ("done", True, "")
    assert stats["images"] == {"used": 30, "learned from": 21, "held out": 9}
    assert (stats["epoch"], stats["train"]) == (2, {"metrics": {"epoch": 2.0, "loss": 0.25}})
    assert training.stats() == stats
    assert newest_model(training.home).is_file() and trained_on(training.home) == set(studies.list_images())


def test_a_calibration_that_does_not_support_the_rate_is_not_kept(tmp_path, commands):
    run, _ = commands
    run.held = 3
    training = Training(tmp_path / "home", Settings())
    stats = training.run({}, FakeStudies(tmp_path / "studies", 12))
    assert stats["calibrated"] is False and "needs normals of 9 patients" in stats["reason"]
    assert not newest_model(training.home).with_name("calibration.json").exists()


def test_a_training_that_fails_leaves_the_detector_before(tmp_path, monkeypatch):
    training = Training(tmp_path / "home", Settings())
    with pytest.raises(ConfigError, match="keys must be an object"):
        training.run({"keys": "--x 1"}, FakeStudies(tmp_path / "studies", 12))
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr("monai_anomaly.apps.label.training.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(TrainingError, match="'monai-anomaly train' ended with 1"):
        training.run({}, FakeStudies(tmp_path / "studies"))
    assert newest_model(training.home) is None and training.stats()["stage"] == "training"
