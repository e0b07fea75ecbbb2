# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One small data set and one short training, shared by the tests that only look at the result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import run

from monai_anomaly.data.phantom import make_phantom

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "sepiad"

TINY: dict[str, Any] = {
    "image_size": 32,
    "encoder_channels": [4, 4, 4, 4],
    "decoder_channels": [4, 4, 4, 4],
    "critic_channels": [4, 4, 4, 4],
    "latent_channels": 8,
    "feature_layers": ["r22"],
    "feature_width": 0.1,
    "max_epochs": 3,
    "epoch_length": 2,
    "pretrain_epochs": 1,
    "val_interval": 2,
    "policy_interval": 2,
    "batch_size": 4,
    "device": "cpu",
}


def config(name: str) -> str:
    """A config file as a user names it from the repository's root."""
    return f"bundles/sepiad/configs/{name}.json"


@pytest.fixture(scope="session")
def small_phantom(tmp_path_factory) -> Path:
    """A phantom of a few images."""
    return make_phantom(tmp_path_factory.mktemp("phantom"), seed=1, num_train=12, num_val=6, num_test=12)


@pytest.fixture
def at_root(monkeypatch) -> None:
    """Work in the repository's root."""
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def trained(small_phantom, tmp_path_factory) -> Path:
    """The folder of a short training."""
    folder = tmp_path_factory.mktemp("trained")
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        train(folder, small_phantom)
    finally:
        os.chdir(before)
    return folder


def train(folder: Path, data: Path, **overrides: Any) -> None:
    """Train as a user does, in this process."""
    run(
        run_id="training",
        config_file=overrides.pop("config_file", config("train")),
        dataset_dir=str(data),
        output_dir=str(folder / "output"),
        ckpt_dir=str(folder / "models"),
        **{**TINY, **overrides},
    )
