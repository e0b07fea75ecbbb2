# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Names planted in the input of training, evaluation, calibration and inference are in no byte that these leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from monai.utils import optional_import
from PIL import Image, PngImagePlugin
from pydicom import dcmread

from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.processes import run_fresh, run_module
from tests.helpers.recipes import TINY
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import config

_, has_mlflow = optional_import("mlflow")

NAME, IDENTIFIER, DATE, UID, FOLDER, GROUP = (
    "ZZCANARY",
    "QQ4711-PID",
    "19570811",
    "1.2.826.0.1.3680043.8.498.471147114711",
    "DOE_JANE",
    "WWPATIENTGROUP",
)
QUARANTINE = ("--on_bad", "quarantine", "--max_bad_share", "0.9")
CANARIES = (NAME, IDENTIFIER, DATE, UID, FOLDER, GROUP)


def _plant(path: Path, number: int) -> None:
    """Write a name, an ID, dates and UIDs into a DICOM file."""
    dataset = dcmread(path)
    dataset.PatientName, dataset.PatientID = f"{NAME}^{number}", f"{IDENTIFIER}-{number}"
    dataset.StudyDate = dataset.SeriesDate = dataset.PatientBirthDate = DATE
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID}.{number}", f"{UID}.{number}.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{UID}.{number}.2"
    dataset.InstitutionName = dataset.StudyDescription = f"{NAME} hospital"
    dataset.ImageComments = f"seen by {NAME}"
    dataset.save_as(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Return a small phantom with a pool under telling names, with three damaged files in each section."""
    folder = tmp_path_factory.mktemp("canary") / "data"
    root = make_phantom(folder, seed=2, num_train=10, num_val=4, num_test=8, num_unlabeled=4)
    sections = json.loads((root / "dataset.json").read_text())
    number = 0
    for section, entries in sections.items():
        if not isinstance(entries, list):
            continue
        for entry in entries:
            number += 1
            folder = root / f"{FOLDER}_{number}"
            folder.mkdir()
            target = folder / f"{NAME}_{DATE}.dcm"
            os.replace(root / entry["image"], target)
            _plant(target, number)
            entry |= {"image": target.relative_to(root).as_posix(), "group": f"{GROUP}-{section}-{number}"}
        for kind, content in enumerate(_damaged(target)):
            path = root / f"{FOLDER}_bad_{section}_{kind}.dcm"
            path.write_bytes(content)
            sections[section].append({"image": path.name, "label": kind % 2, "group": f"{GROUP}-{section}-bad{kind}"})
            if section == "training":
                sections[section][-1]["label"] = 0
    sections["test"].append({"image": _picture(root), "label": 0, "group": f"{GROUP}-png"})
    for entries in sections.values():
        masked = isinstance(entries, list) and any("mask" in e for e in entries)
        for entry in entries if masked else []:
            entry.pop("mask", None)
    (root / "dataset.json").write_text(json.dumps(sections))
    return root


def _damaged(path: Path) -> Iterator[bytes]:
    """Files whose header tells who it is and that end in three different errors."""
    content = path.read_bytes()
    yield content[: len(content) * 3 // 4]
    yield f"{NAME}, {IDENTIFIER}: not an image".encode()
    dataset = dcmread(path)
    dataset.add_new(0x00281053, "DS", "1")
    dataset.add_new(0x00281052, "DS", "0")
    dataset.save_as(path.with_suffix(".work"))
    yield (
        path.with_suffix(".work").read_bytes().replace(b"\x28\x00\x53\x10DS\x02\x001 ", b"\x28\x00\x53\x10DS\x02\x00ZZ")
    )
    path.with_suffix(".work").unlink()


def _picture(root: Path) -> str:
    """Return a PNG that names the patient in a text chunk."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", f"{NAME} {IDENTIFIER}")
    gray = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(gray).save(root / f"{FOLDER}.png", pnginfo=info)
    return f"{FOLDER}.png"


def _run(
    home: Path, name: str, data: Path, *words: str, bundle: str = "sepiad", expect: int = 0, imports: bool = False
) -> None:
    """Run a bundle on the command line; keep what it prints beside what it writes.

    Where packages are imported in this home, too, it takes ten seconds longer.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "MONAI_ANOMALY_", "MLFLOW"))}
    variables["HOME"] = str(home)
    arguments = ["run", "--config_file", config(name, bundle), "--dataset_dir", str(data), *words]
    number = len(list(home.glob("printed_*")))
    if imports:
        command = [sys.executable, "-m", "monai.bundle", *arguments]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=variables, timeout=300)
    else:
        result = run_fresh(run_module, "monai.bundle", *arguments, environment=variables)
    (home / f"printed_{number}.txt").write_text(result.stdout + result.stderr)
    assert (result.returncode != 0) == bool(expect), result.stderr[-3000:]


def _found(home: Path) -> dict[str, list[str]]:
    """Return the canaries in any byte of any file or any name below a folder, by file."""
    found = {}
    for path in sorted(home.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        hits = [c for c in CANARIES if any(c.encode(code) in content for code in ("utf-8", "utf-16-le"))]
        hits += [f"{c} (name)" for c in CANARIES if c in path.name]
        if hits:
            found[path.relative_to(home).as_posix()] = hits
    return found


def _tiny(home: Path, bundle: str) -> list[str]:
    """Return a short training into a home, on the command line."""
    places = ["--output_dir", str(home / "output"), "--ckpt_dir", str(home / "models")]
    tiny = [word for key, value in TINY[bundle].items() for word in (f"--{key}", json.dumps(value).strip('"'))]
    return [*places, *tiny, "--max_epochs", "1"]


def _leak(data: Path, folder: Path, section: str) -> Path:
    """Return the same data, but that a patient of a section is in test, too."""
    listed = json.loads((data / "dataset.json").read_text())
    listed["test"][0]["group"] = listed[section][0]["group"]
    for path in data.iterdir():
        if path.name != "dataset.json":
            (folder / path.name).symlink_to(path)
    (folder / "dataset.json").write_text(json.dumps(listed))
    return folder


@pytest.fixture(scope="module")
def home(data, tmp_path_factory) -> Path:
    """Return the home of a user who trained, evaluated, calibrated and inferred, and met errors on the way."""
    home = tmp_path_factory.mktemp("home")
    words = _tiny(home, "sepiad")
    tracking = ["--tracking", "mlflow"] if has_mlflow else []
    _run(home, "train", data, *words, *tracking, *QUARANTINE, imports=True)
    _run(home, "train", data, *words, expect=1)
    checkpoint = ["--checkpoint", str(home / "models" / "model.pt"), "--device", "cpu"]
    _run(home, "evaluate", data, "--output_dir", str(home / "output"), *checkpoint, "--frames", "all")
    _run(home, "calibrate", data, *checkpoint)
    decide = ["--output_dir", str(home / "output" / "inference"), "--false_alarm_rate", "0.4"]
    _run(home, "inference", data, *decide, *checkpoint)
    leak = _leak(data, tmp_path_factory.mktemp("leak"), "training")
    _run(home, "train", leak, *words, expect=1)
    return home


def test_no_name_is_left_anywhere(home: Path):
    assert _found(home) == {}
    written = {path.name for path in home.rglob("*") if path.is_file()}
    assert {"model.pt", "checkpoint.pt", "history.csv", "scores.csv", "report.html", "metrics.json"} <= written
    assert {"records.jsonl", "quarantine_training.jsonl", "calibration.json", "printed_5.txt"} <= written
    if has_mlflow:
        assert "mlruns.db" in written


def test_every_planted_fault_was_met(home: Path):
    listed = [json.loads(line) for line in (home / "output" / "quarantine_training.jsonl").read_text().splitlines()]
    assert sorted(entry["code"] for entry in listed) == ["non_finite", "not_dicom", "truncated"]
    rejected = json.loads((home / "output" / "metrics.json").read_text())["rejected"]
    assert sorted(entry["code"] for entry in rejected) == ["non_finite", "not_dicom", "truncated"]
    assert "in training and in test" in (home / "printed_5.txt").read_text()


def test_no_name_is_left_where_the_score_has_terms(data: Path, tmp_path: Path):
    _run(tmp_path, "train", data, *_tiny(tmp_path, "ocad"), *QUARANTINE, bundle="ocad")
    checkpoint = ["--checkpoint", str(tmp_path / "models" / "model.pt"), "--device", "cpu"]
    _run(tmp_path, "evaluate", data, "--output_dir", str(tmp_path / "output"), *checkpoint, bundle="ocad")
    assert _found(tmp_path) == {}
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"terms.csv", "terms.json", "scores.csv", "model.pt", "checkpoint.pt", "printed_1.txt"} <= written


def test_no_name_of_a_pool_is_left(data: Path, tmp_path: Path):
    home, leak = tmp_path / "home", tmp_path / "leak"
    for folder in (home, leak):
        folder.mkdir()
    _run(home, "train", data, *_tiny(home, "sagan"), *QUARANTINE, bundle="sagan")
    _run(home, "train", _leak(data, leak, "unlabeled"), *_tiny(home, "sagan"), bundle="sagan", expect=1)
    assert _found(home) == {}
    assert "in test and in unlabeled" in (home / "printed_1.txt").read_text()
    listed = [json.loads(line) for line in (home / "output" / "quarantine_pool.jsonl").read_text().splitlines()]
    assert sorted(entry["code"] for entry in listed) == ["non_finite", "not_dicom", "truncated"]
    assert (home / "models" / "model.pt").is_file()


def test_names_appear_when_they_are_asked_for(home: Path, data: Path, tmp_path: Path):
    checkpoint = ["--checkpoint", str(home / "models" / "model.pt"), "--device", "cpu"]
    _run(tmp_path, "evaluate", data, "--output_dir", str(tmp_path / "output"), *checkpoint, "--source_names", "True")
    found = _found(tmp_path)
    assert {FOLDER, NAME, GROUP} <= set(found["output/scores.csv"])
    assert "output/report.html" in found
