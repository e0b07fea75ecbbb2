# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A run opens the file of its detector once, whatever it asks of it."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from monai.bundle import run

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration


@pytest.fixture
def openings(monkeypatch) -> Iterator[list[str]]:
    """Collect which files are opened, by Python or by PyTorch's own reader."""
    names: list[str] = []
    plain_open, plain_load = builtins.open, torch.load

    def counted_open(file, *args, **kwargs):
        names.append(os.path.realpath(file) if isinstance(file, (str, os.PathLike)) else str(file))
        return plain_open(file, *args, **kwargs)

    def counted_load(f, *args, **kwargs):
        if isinstance(f, (str, os.PathLike)):  # which PyTorch would open without Python
            names.append(os.path.realpath(f))
        return plain_load(f, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", counted_open)
    monkeypatch.setattr(torch, "load", counted_load)
    yield names


@pytest.fixture
def calibration(example, tmp_path) -> Path:
    """Return a calibration of the example's detector, by as many made-up normals as every rate needs."""
    identity = TrainedDetector.read(example.model).identity()
    scores = tuple(0.5 + i / 100 for i in range(100))
    hashes = (identity.model_hash, identity.spec_hash, "0" * 64)
    Calibration(scores, tuple(range(100)), *hashes, "middle", "max").save(tmp_path / "calibration.json")
    return tmp_path / "calibration.json"


@pytest.mark.parametrize("name", ["evaluate", "inference"])
def test_a_calibrated_run_opens_its_detector_once(example, calibration, tmp_path, at_root, openings, name):
    arguments = {"checkpoint": str(example.model), "dataset_dir": str(example.data), "calibration": str(calibration)}
    run(config_file=example.config(name), output_dir=str(tmp_path / "out"), device="cpu", **arguments)
    assert openings.count(os.path.realpath(example.model)) == 1
