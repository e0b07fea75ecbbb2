# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The apps of ``integrations/deploy`` and the bundle operator, run by the real SDK, beside the door and ``predict``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import DigitalXRayImageStorageForPresentation

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.scoring.map_encoders import map_to_indices
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.doors import calibrate, write_model
from tests.helpers.other_environments import other_environment
from tests.helpers.repository import ROOT

pytestmark = pytest.mark.deploy

SAMPLES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "ExplVR_BigEnd.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "examples_jpeg2k.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "dicomdirtests/77654033/CR1/6154",
)
COUNT = 16
SLICES = ("dicomdirtests/77654033/CT2/17106", "dicomdirtests/77654033/CT2/17136")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of 16 images of every kind, two of them generated, and a file that is none."""
    root = tmp_path_factory.mktemp("deploy")
    images, rng = root / "images", np.random.default_rng(0)
    images.mkdir()
    for name in SAMPLES:
        shutil.copy(get_testdata_file(name, download=False), images / Path(name).name)
    for kind in ("ultrasound", "radiograph"):
        phantom = make_phantom(root / kind, kind=kind, num_train=2, num_val=0, num_test=0, num_unlabeled=0)
        shutil.copy(sorted(phantom.rglob("*.dcm"))[0], images / f"{kind}.dcm")
    deep = rng.integers(0, 4096, (60, 50), dtype=np.uint16)
    made = {
        "inverted": make_dataset(deep, "MONOCHROME1", WindowCenter=900, WindowWidth=700, BitsStored=12, HighBit=11),
        "windowed": make_dataset(deep, WindowCenter=2000, WindowWidth=900, BitsStored=12, HighBit=11),
        "signed": make_dataset(deep.astype(np.int16) - 1000, RescaleSlope=1, RescaleIntercept=-24, Modality="CT"),
        "cine": make_dataset(rng.integers(0, 256, (5, 50, 60), dtype=np.uint8)),
    }
    made["signed"].SOPClassUID = DigitalXRayImageStorageForPresentation
    for name, dataset in made.items():
        save(images / f"{name}.dcm", dataset)
    assert len(list(images.iterdir())) == COUNT
    (images / "broken.dcm").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module", params=["SEPIAD", "OCAD"])
def model(request, folder):
    """Return a detector of gray images, or of color ones with a guard, calibrated, with its ``.ts`` beside."""
    place = folder / request.param
    place.mkdir()
    path = write_model(place, name=request.param, guard=request.param == "OCAD")
    scores = [result.score for result in ma.load(path).score(folder / "images") if result.score is not None]
    calibrate(path, [score + shift for score in scores for shift in (-1e-3, -2e-3)])  # no score is a calibration's own
    assert main(["export", str(path), "--format", "ts"]) == 0
    return path


def run_app(app: Path, *words: str | os.PathLike[str], code: int = 0) -> str:
    """Start an app in the SDK's environment, and return what it printed."""
    python = other_environment("deploy", "bin/monai-deploy").joinpath("bin", "python")
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), str(app), *map(str, words)]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=600)
    assert ended.returncode == code, ended.stderr[-4000:]
    return ended.stdout + ended.stderr


def records_of(output: Path) -> dict[str, dict]:
    """Return the records of a run by their images' names."""
    lines = (output / "records.jsonl").read_text().splitlines()
    records = {record["image"]: record for record in map(json.loads, lines)}
    assert len(records) == len(lines)
    return records


def predicted(folder: Path, model: Path) -> dict[str, dict]:
    """Return the records of ``predict --dicom``, which runs once."""
    output = model.parent / "predicted"
    if not output.exists():
        words = [sys.executable, "-m", "monai_anomaly", "predict", str(folder / "images"), str(output), "--dicom"]
        subprocess.run([*words, "--checkpoint", str(model)], check=True, capture_output=True, cwd=ROOT)
    return records_of(output)


def test_the_app_gives_the_scores_of_the_door_and_the_objects_of_predict(folder, model):
    output = model.parent / "app"
    printed = run_app(ROOT / "integrations/deploy/anomaly_app", "-i", folder / "images", "-o", output, "-m", model)
    expected = predicted(folder, model)
    found = records_of(output)
    assert found.keys() == expected.keys() and len(found) == COUNT + 1
    assert not any(name in printed for name in ("ZZCANARY", "PatientName"))
    for name, record in found.items():
        theirs = expected[name]
        drawn = ("overlay", "overlay_shape", "overlay_digest")  # of predict alone
        assert {**record, **{key: theirs[key] for key in (*drawn, "score")}} == theirs
        if record["status"] == "scored":
            assert record["score"] == pytest.approx(theirs["score"], abs=1e-5)
            with Image.open(output / record["map"]) as picture:
                assert [picture.height, picture.width] == record["source_shape"]
        for kind, place in (record["dicom"] or {}).items():
            content = (output / place).read_bytes()
            assert content == (model.parent / "predicted" / theirs["dicom"][kind]).read_bytes()
            assert dcmread(output / place).StudyInstanceUID
    assert sum(record["dicom"] is not None for record in found.values()) >= 12
    assert [record["status"] for record in found.values()].count("rejected") == 1
    decided = {record["decision"] for record in found.values()}
    assert decided >= ({"normal", "anomalous"} if model.parent.name == "SEPIAD" else {"not_applicable"})
    assert {path.name for path in output.iterdir()} == {"records.jsonl", "predictions.csv", "maps", "dicom"}


def test_the_bundle_operator_gives_the_scores_of_the_door_and_maps_on_the_pictures(folder, model):
    output = model.parent / "bundle"
    app = ROOT / "integrations/deploy/bundle_app"
    run_app(app, "-i", folder / "images", "-o", output, "-m", model.with_suffix(".ts"))
    detector = ma.load(model)
    expected = {result.name: result for result in detector.score(folder / "images")}
    names = {record["input_digest"]: name for name, record in predicted(folder, model).items()}
    found = records_of(output)
    assert len(found) == len(expected) == COUNT + 1
    for result in expected.values():
        if result.status == "rejected":
            continue
        record = found[names[result.input_digest]]
        assert record["score"] == pytest.approx(result.score, abs=1e-5)
        assert (record["p_value"], record["decision"]) == (result.p_value, result.decision)
        with Image.open(output / record["map"]) as picture:
            levels = np.asarray(picture)
        assert levels.shape == result.source_shape
        wanted = map_to_indices(result.map_on_source, detector.map_range)
        assert np.abs(levels.astype(int) - wanted.astype(int)).max() <= 1
    assert [record["status"] for record in found.values()].count("rejected") == 1


def test_the_sdk_s_loader_and_selector_may_stand_before_ours(folder, model, tmp_path):
    images, samples = tmp_path / "images", ("examples_rgb_color.dcm", "cine.dcm", "inverted.dcm", "CT_small.dcm")
    images.mkdir()
    for name in samples:
        shutil.copy(folder / "images" / name, images)
    app = Path(__file__).with_name("series_app.py")
    run_app(app, "anomaly", "-i", images, "-o", tmp_path / "out", "-m", model)
    found = records_of(tmp_path / "out")
    detector = ma.load(model)
    expected = sorted((detector.score(str(images / name)) for name in samples), key=lambda result: result.score)
    ordered = sorted(found.values(), key=lambda record: record["score"])
    assert [record["score"] for record in ordered] == pytest.approx([one.score for one in expected], abs=1e-5)
    for record, result in zip(ordered, expected, strict=True):
        assert (record["patient"], record["decision"]) == (result.patient, result.decision)
        assert record["source_shape"] == list(result.source_shape) and "sr" in record["dicom"]


def test_a_volume_of_the_sdk_is_refused_by_the_bundle_with_a_sentence(model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in SLICES:  # of one instance without a place, the SDK makes a volume that its own operator does not take
        shutil.copy(get_testdata_file(name, download=False), images)
    app = Path(__file__).with_name("series_app.py")
    printed = run_app(app, "bundle", "-i", images, "-o", tmp_path, "-m", model.with_suffix(".ts"), code=1)
    assert "neither window nor bits nor polarity" in printed


def test_an_app_s_failure_leaves_the_earlier_results(model, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "records.jsonl").write_text("earlier\n")
    volume = tmp_path / "empty"
    volume.mkdir()
    printed = run_app(ROOT / "integrations/deploy/anomaly_app", "-i", volume, "-o", output, "-m", model, code=1)
    assert "DataListError" in printed and (output / "records.jsonl").read_text() == "earlier\n"


@pytest.mark.parametrize("app", ["anomaly_app", "bundle_app"])
def test_the_packager_reads_the_settings_of_a_package(app):
    place = ROOT / "integrations" / "deploy" / app / "app.yaml"
    code = (
        "from pathlib import Path; from holoscan_cli.packager.config_reader import ApplicationConfiguration; "
        f"configuration = ApplicationConfiguration(); configuration.read(Path({str(place)!r})); "
        "print(configuration.title())"
    )
    python = other_environment("deploy", "bin/monai-deploy").joinpath("bin", "python")
    ended = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=300)
    assert "monai_anomaly" in ended.stdout, ended.stderr
