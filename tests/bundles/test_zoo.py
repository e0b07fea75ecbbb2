# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The archive of every bundle, unpacked elsewhere, passes what MONAI's model zoo runs on it, and runs."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow, ckpt_export, load, run, verify_metadata, verify_net_in_out

import monai_anomaly as ma
from monai_anomaly.__main__ import main
from monai_anomaly.apps.zoo.rules import SCHEMA
from tests.bundles.conftest import DATA
from tests.helpers.tiny_bundles import Example
from tests.helpers.trained_models import spread

pytestmark = pytest.mark.usefixtures("at_root")


def unpacked(example: Example, folder: Path) -> Path:
    """Return the bundle's folder as the zoo's users have it."""
    assert main(["bundles", "zip", example.bundle, str(folder), "--checkpoint", str(example.model)]) == 0
    (path,) = folder.glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "zoo")
    return folder / "zoo" / example.bundle


@pytest.mark.parametrize("name", DATA)
def test_the_zoo_s_own_checks_pass(examples, tmp_path, monkeypatch, name):
    root = unpacked(examples(name), tmp_path)
    monkeypatch.chdir(tmp_path)
    files = {"meta_file": str(root / "configs/metadata.json"), "config_file": str(root / "configs/inference.json")}
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    verify_metadata(meta_file=files["meta_file"], filepath=str(tmp_path / "schema.json"))
    verify_net_in_out("network_def", **files, bundle_root=str(root))
    model = str(root / "models/model.pt")
    ckpt_export("network_def", str(tmp_path / "new.ts"), ckpt_file=model, **files, bundle_root=str(root))
    assert (tmp_path / "new.ts").stat().st_size > 10_000


def test_the_properties_are_there_in_an_archive(examples, tmp_path, monkeypatch):
    example = examples("embedding")
    monkeypatch.chdir(unpacked(example, tmp_path))
    files = {"config_file": "configs/inference.json", "meta_file": "configs/metadata.json", "logging_file": False}
    workflow = ConfigWorkflow(**files, workflow_type="infer", dataset_dir=str(example.data), device="cpu")
    workflow.initialize()
    assert workflow.check_properties() == []


def test_an_archive_runs_and_loads_elsewhere(examples, tmp_path, monkeypatch):
    example = examples("embedding")
    root = unpacked(example, tmp_path)
    images = example.images("test")
    monkeypatch.chdir(root.parent)
    network = load("embedding", bundle_dir=".", workflow_type="inference", device="cpu")
    with torch.inference_mode():
        expected = example.detector(images)
        torch.testing.assert_close(network.eval()(images), expected, atol=1e-5 / spread(example.detector), rtol=1e-5)
    monkeypatch.chdir(root)
    data = {"dataset_dir": str(example.data / "test"), "output_dir": str(tmp_path / "out"), "source_names": True}
    run(config_file="configs/inference.json", uncalibrated=True, maps="none", overlays=False, device="cpu", **data)
    detector = ma.load(example.model, device="cpu")
    with open(tmp_path / "out" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for row in rows[:3]:
        assert float(row["score"]) == pytest.approx(
            detector.score(example.data / "test" / row["image"]).score, abs=1e-5
        )
