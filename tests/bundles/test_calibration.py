# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Calibration and decisions as a user runs them, through monai.bundle."""

from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import run
from PIL import Image

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.bundle.error_sentence import causes
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError
from tests.helpers.tiny_bundles import config

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return normals of another site, and one file that is no image."""
    root = make_phantom(tmp_path_factory.mktemp("site") / "data", seed=7, num_train=42, num_val=0, num_test=4)
    listed = json.loads((root / "dataset.json").read_text())
    (root / "broken.dcm").write_bytes(b"no image at all")
    listed["training"].append({"image": "broken.dcm", "label": 0, "group": "nobody"})
    listed["training"] = [{k: v for k, v in entry.items() if k != "mask"} for entry in listed["training"]]
    (root / "dataset.json").write_text(json.dumps(listed))
    return root


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Return a data set with normals of several patients held out of the training."""
    return make_phantom(tmp_path_factory.mktemp("own") / "data", seed=3, num_train=6, num_val=16, num_test=0)


@pytest.fixture
def models(trained, tmp_path) -> Path:
    """Return a folder with the trained detector that a test may write to."""
    (tmp_path / "models").mkdir()
    shutil.copy(trained / "models" / "model.pt", tmp_path / "models" / "model.pt")
    return tmp_path / "models"


def calibrate(models: Path, data: Path, **more: Any) -> Calibration:
    arguments = {"checkpoint": str(models / "model.pt"), "dataset_dir": str(data), "device": "cpu"}
    run(run_id="calibrate", config_file=config("calibrate"), **(arguments | more))
    return Calibration.load(more.get("calibration", models / "calibration.json"))


def infer(models: Path, data: Path, output: Path, **more: Any) -> list[dict]:
    arguments = {"checkpoint": str(models / "model.pt"), "dataset_dir": str(data), "device": "cpu"}
    run(config_file=config("inference"), output_dir=str(output), **(arguments | more))
    return [json.loads(line) for line in (output / "records.jsonl").read_text().splitlines()]


def refusal(function, *arguments: Any, **more: Any) -> str:
    """Return the sentence of the error of ours that ends a run."""
    with pytest.raises((RuntimeError, ValueError)) as caught:
        function(*arguments, **more)
    ours = [str(e) for e in causes(caught.value) if isinstance(e, (CalibrationError, CheckpointError, ConfigError))]
    del caught
    gc.collect()  # nothing is left of the run, as when its process ends
    return ours[-1]


def change(path: Path, **more: Any) -> None:
    """Save a checkpoint again with other content."""
    torch.save(torch.load(path, weights_only=True) | more, path)


def test_a_new_site_calibrates_with_its_own_normals(models, site, tmp_path, capsys):
    before = (models / "model.pt").read_bytes()
    calibration = calibrate(models, site, section="normals")
    assert (models / "model.pt").read_bytes() == before  # nothing was trained
    written = {path.name for path in models.iterdir()} - {"calibration_records.jsonl"}
    assert written == {"calibration.json", "model.pt"}
    trained = TrainedDetector.read(models / "model.pt")
    items = [item for item in load_datalist(site, "normals") if not item["image"].endswith("broken.dcm")]
    images = torch.stack([trained.preprocessing({"image": item["image"]})["image"] for item in items])
    with torch.inference_mode():
        scores = trained.detector(images).mean(dim=(1, 2, 3)).tolist()
    assert calibration.scores == pytest.approx(sorted(scores), abs=1e-5)
    assert (calibration.n_images, calibration.n_patients) == (42, len({item["group"] for item in items}))
    assert calibration.counts["refused_files"] == 1
    printed = capsys.readouterr().out
    assert f"42 images of {calibration.n_patients} patients" in printed and "refused files      1 (" in printed
    elsewhere = calibrate(models, site, section="normals", calibration=str(tmp_path / "site" / "c.json"), batch_size=7)
    assert elsewhere.groups == calibration.groups and elsewhere.data_hash == calibration.data_hash


def test_the_site_of_the_training_calibrates_with_its_held_out_normals(models, own):
    calibration = calibrate(models, own)
    normals = [item for item in load_datalist(own, "validation") if item["label"] == 0]
    assert calibration.n_images == len(normals) and calibration.n_patients == len({i["group"] for i in normals})


def test_images_of_the_training_are_left_out(models, own, capsys):
    content = torch.load(models / "model.pt", weights_only=True)
    preprocessing = Preprocessing(**content["spec"]["preprocessing"])
    images = [preprocessing({"image": i["image"]})["image"] for i in load_datalist(own, "training")]
    change(models / "model.pt", fingerprints=torch.tensor([fingerprint(pixel_hash(image)) for image in images]))
    calibration = calibrate(models, own, section="normals")
    assert calibration.counts["left_out_as_trained_on"] == len(images) == 6
    assert calibration.n_images == 8 and "left out           6 (patients of the training)" in capsys.readouterr().out


def test_inference_decides_by_the_calibration(models, site, small_phantom, tmp_path):
    calibration = calibrate(models, site, section="normals")
    (tmp_path / "in").mkdir()
    for item in load_datalist(small_phantom, "test"):
        shutil.copy(item["image"], tmp_path / "in")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90), np.uint8)).save(tmp_path / "in" / "noise.png")
    (tmp_path / "in" / "broken.dcm").write_bytes(b"no image")
    records = infer(models, tmp_path / "in", tmp_path / "out")
    assert sorted(record["status"] for record in records) == ["rejected", *["scored"] * 13]
    for record in records:
        if record["status"] == "scored":
            assert record["p_value"] == calibration.p_value(record["score"])
            assert (record["threshold"], record["false_alarm_rate"]) == (calibration.threshold(0.1), 0.1)
            assert record["decision"] in (calibration.decide(record["score"], 0.1), "not_applicable")
        else:
            assert record["decision"] is record["p_value"] is None
    stricter = infer(models, tmp_path / "in", tmp_path / "out", false_alarm_rate=calibration.least_rate)
    assert {r["threshold"] for r in stricter if r["score"]} == {calibration.threshold(calibration.least_rate)}
    uncalibrated = infer(models, tmp_path / "in", tmp_path / "out", uncalibrated=True)
    assert {r["decision"] for r in uncalibrated} <= {"uncalibrated", "not_applicable", None}
    assert {r["p_value"] for r in uncalibrated} == {None}


def test_the_guard_can_be_switched_off(models, site, tmp_path):
    calibration = calibrate(models, site, section="normals")
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((80, 90), np.uint8)).save(tmp_path / "in" / "blank.png")
    (guarded,) = infer(models, tmp_path / "in", tmp_path / "out")
    assert guarded["decision"] == "not_applicable" and "not like the 12 training normals" in guarded["decision_reason"]
    assert guarded["p_value"] == calibration.p_value(guarded["score"])
    (free,) = infer(models, tmp_path / "in", tmp_path / "out", guard=False)
    assert free["score"] == guarded["score"] and free["decision"] == calibration.decide(free["score"], 0.1)


def test_inference_without_a_calibration_says_what_to_do_and_writes_nothing(sentence, models, small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(models / "model.pt"), "--device", "cpu"]
    told = sentence("--config_file", config("inference"), *arguments, "--output_dir", str(tmp_path / "out"))
    assert told.startswith("error: there is no calibration")
    assert "run calibrate" in told and "--uncalibrated True" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"aggregate": "mean"}, "aggregate is 'max' there and 'mean' here"),
        ({"frames": "all"}, "frames is 'middle' there and 'all' here"),
        ({"false_alarm_rate": 0.001}, "needs normals of 999 patients"),
    ],
)
def test_a_calibration_with_other_settings_is_refused(models, site, small_phantom, tmp_path, settings, sentence):
    calibrate(models, site, section="normals")
    assert sentence in refusal(infer, models, small_phantom, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_calibration_of_other_weights_or_settings_is_refused(models, site, small_phantom, tmp_path):
    calibrate(models, site, section="normals")
    content = torch.load(models / "model.pt", weights_only=True)
    change(models / "model.pt", map_range=[0.0, 9.0])
    assert "the weights are others" in refusal(infer, models, small_phantom, tmp_path / "out")
    spec = content["spec"] | {"preprocessing": content["spec"]["preprocessing"] | {"intensity": "zscore"}}
    change(models / "model.pt", spec=spec)
    assert "the preprocessing or the network's settings are others" in refusal(
        infer, models, small_phantom, tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


def test_an_edited_or_foreign_calibration_is_refused(models, site, small_phantom, tmp_path):
    calibrate(models, site, section="normals")
    path = models / "calibration.json"
    text = path.read_text()
    for content, sentence in (
        (text.replace('"n_patients": ', '"n_patients": 1'), "edited, cut short or damaged"),
        (text[: len(text) // 2], "edited or cut short"),
        ('{"thresholds": {"0.05": 1.0}}', "not a calibration of this package"),
        (text.replace('"version": 1', '"version": 2'), "use the package that wrote it"),
    ):
        path.write_text(content)
        assert sentence in refusal(infer, models, small_phantom, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("section", ["test", "training", "inference"])
def test_other_sections_do_not_calibrate(models, small_phantom, section):
    assert "section must be validation" in refusal(calibrate, models, small_phantom, section=section)


def test_calibrating_without_a_detector_or_with_one_normal_is_refused(models, small_phantom, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(load_datalist(small_phantom, "test")[0]["image"], one / "a.dcm")
    assert "there are 1 images of 1" in refusal(calibrate, models, one, section="normals")
    (models / "model.pt").unlink()
    assert "train first" in refusal(calibrate, models, small_phantom)
    assert not list(models.iterdir())


def test_a_calibration_is_of_one_precision(models, own, tmp_path):
    plain = calibrate(models, own)
    rounded = calibrate(models, own, precision="bfloat16")
    assert (plain.precision, rounded.precision) == ("float32", "bfloat16")
    differences = np.abs(np.subtract(plain.scores, rounded.scores))
    assert 0 < differences.max() < 0.1 * max(plain.scores)
    (tmp_path / "in").mkdir()
    for item in load_datalist(own, "validation"):
        if item["label"] == 0:
            shutil.copy(item["image"], tmp_path / "in")
    sentence = refusal(infer, models, tmp_path / "in", tmp_path / "out", false_alarm_rate=0.25)
    assert "precision is 'bfloat16' there and 'float32' here" in sentence and "Run calibrate" in sentence
    records = infer(models, tmp_path / "in", tmp_path / "out", false_alarm_rate=0.25, precision="bfloat16")
    assert {record["score"] for record in records} == set(rounded.scores)  # bit for bit
    assert json.loads((tmp_path / "out" / "run.json").read_text())["precision"] == "bfloat16"
