# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One small data set and one short training of each bundle, shared by the tests that only look at the result."""

from __future__ import annotations

import math
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import run
from torch import nn

from monai_anomaly.handlers.scoring.detector_loader import load_detector
from monai_anomaly.networks.nets.ocad.ocad import OCAD
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.networks.nets.sepiad.sepiad import SEPIAD
from monai_anomaly.networks.nets.simsid.simsid import SimSID
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT

DETECTORS: dict[str, type[nn.Module]] = {"sepiad": SEPIAD, "simsid": SimSID, "ocad": OCAD, "sagan": SAGAN}

SHORT: dict[str, Any] = {
    "image_size": 32,
    "max_epochs": 3,
    "epoch_length": 2,
    "val_interval": 2,
    "batch_size": 4,
    "device": "cpu",
}
TINY: dict[str, dict[str, Any]] = {
    "sepiad": {
        **SHORT,
        "encoder_channels": [4, 4, 4, 4],
        "decoder_channels": [4, 4, 4, 4],
        "critic_channels": [4, 4, 4, 4],
        "latent_channels": 8,
        "feature_layers": ["r22"],
        "feature_width": 0.1,
        "pretrain_epochs": 1,
        "policy_interval": 2,
    },
    "simsid": {
        **SHORT,
        "generator::channels": [4, 4, 8],
        "generator::token_channels": 8,
        "generator::slots": 10,
        "generator::heads": 2,
        "generator::hidden": 16,
        "discriminator::channels": [4, 4, 4],
    },
    "ocad": {
        **SHORT,
        "encoder::channels": [4, 4],
        "encoder::attention_stage": 2,
        "encoder::heads": 2,
        "encoder::head_dim": 4,
        "decoder::channels": [4, 4],
        "latent": "vector",
        "latent_channels": 8,
        "gaussian_share": 0.25,
        "critic::channels": [4, 4, 4],
        "interpolation_weight": 0.1,
        "gaussian_weight": 0.5,
        "quiet_epochs": 0,
        "ramp_epochs": 1,
        "refresh_interval": 2,  # in the first epoch and the third
    },
    "sagan": {
        **SHORT,
        "generator::grid": 2,
        "generator::channels": 4,
        "generator::residual_blocks": 1,
        "generator::unshuffle": 1,
        "critic::channels": 4,
        "critic::depth": 3,
        "n_critic": 2,
        "adversarial_weight": 0.5,
        "identity_weight": 1.0,
        "restoration_weight": 1.0,
        "pooling": "either",
        "smoothing": 3,
    },
}
EXAMPLES = {
    "sepiad": ("small_phantom", "trained"),
    "simsid": ("small_radiographs", "trained_simsid"),
    "ocad": ("small_skin", "trained_ocad"),
    "sagan": ("small_radiographs", "trained_sagan"),  # with a pool
}
"""The fixtures of each bundle's data and training."""


def bundle_root(bundle: str = "sepiad") -> Path:
    """Return the folder of a bundle."""
    return ROOT / "bundles" / bundle


def config(name: str, bundle: str = "sepiad") -> str:
    """Return a config file as a user names it from the repository's root."""
    return f"bundles/{bundle}/configs/{name}.json"


def train(
    folder: Path,
    data: Path,
    *,
    bundle: str = "sepiad",
    overlays: Sequence[str] = (),
    tiny: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> None:
    """Train as a user does, in this process; what makes it tiny is that of the bundle's own recipe if not given."""
    run(
        run_id="training",
        config_file=[config(name, bundle) for name in ("train", *overlays)],
        dataset_dir=str(data),
        output_dir=str(folder / "output"),
        ckpt_dir=str(folder / "models"),
        **{**(TINY[bundle] if tiny is None else tiny), **overrides},
    )


def load(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds."""
    return torch.load(path, weights_only=True)


def spec_args(folder: Path) -> dict[str, Any]:
    """How a trained detector was made."""
    return load(folder / "models" / "model.pt")["spec"]


def load_trained(bundle: str, folder: Path) -> nn.Module:
    """Return the trained detector, to be asked."""
    detector = DETECTORS[bundle](**spec_args(folder)["network"]).eval()
    load_detector(detector, folder / "models" / "model.pt")
    return detector


def spread(detector: nn.Module) -> float:
    """Return what the detector divides its map by: some scores are in deviations of normals, tiny at first."""
    return min(float(getattr(detector, name, torch.ones(1)).min()) for name in ("score_std", "term_std"))


def assert_same(a: Any, b: Any, where: str = "checkpoint") -> None:
    """Bit for bit: tensors, numbers (NaN equals NaN) and structure."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif not (isinstance(a, float) and math.isnan(a) and math.isnan(b)):
        assert a == b, where


def words(overrides: Mapping[str, Any]) -> list[str]:
    """Override as a user writes them on the command line."""
    return [word for key, value in overrides.items() for word in (f"--{key}", str(value))]


def outputs(folder: Path) -> list[str]:
    """Where a training on the command line is to write."""
    return ["--output_dir", str(folder / "out"), "--ckpt_dir", str(folder / "models")]


@dataclass(frozen=True)
class Example:
    """A bundle, a small data set for it, and the folder of a short training on that."""

    bundle: str
    data: Path
    folder: Path

    @property
    def model(self) -> Path:
        """The trained detector's file."""
        return self.folder / "models" / "model.pt"

    def config(self, name: str) -> str:
        """Return a config file of the bundle as a user names it."""
        return config(name, self.bundle)

    def noise(self, count: int) -> torch.Tensor:
        """Images of noise ``(count, C, 32, 32)``, in the detector's channels."""
        return torch.rand(count, spec_args(self.folder)["preprocessing"]["channels"], 32, 32)


@pytest.fixture(scope="session")
def small_phantom(tmp_path_factory) -> Path:
    """Return a phantom of a few images."""
    return make_phantom(tmp_path_factory.mktemp("phantom"), seed=1, num_train=12, num_val=6, num_test=12)


@pytest.fixture(scope="session")
def small_radiographs(tmp_path_factory) -> Path:
    """Return a phantom of a few radiographs, with a pool."""
    folder = tmp_path_factory.mktemp("radiographs")
    return make_phantom(folder, kind="radiograph", seed=1, num_train=12, num_val=6, num_test=12, num_unlabeled=12)


@pytest.fixture(scope="session")
def small_skin(tmp_path_factory) -> Path:
    """Return a phantom of a few pictures of the skin."""
    folder = tmp_path_factory.mktemp("skin")
    return make_phantom(folder, kind="skin", seed=1, num_train=12, num_val=6, num_test=12)


@pytest.fixture
def at_root(monkeypatch) -> None:
    """Work in the repository's root."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def sentence(monkeypatch, capfd) -> Callable[..., str]:
    """Give a function that runs ``monai.bundle run`` on the command line, to fail, and return its one sentence."""

    def fail(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", *arguments])
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        with pytest.raises(Exception) as caught:
            runpy.run_module("monai.bundle", run_name="__main__")
        capfd.readouterr()
        sys.excepthook(caught.type, caught.value, caught.tb)
        printed = capfd.readouterr().err
        assert printed.startswith("error: ") and printed.count("\n") == 1, printed
        return printed

    return fail


@pytest.fixture(scope="session")
def trained(small_phantom, tmp_path_factory) -> Path:
    """Return the folder of a short training of SEPIAD."""
    return _train_once(tmp_path_factory.mktemp("trained"), small_phantom, "sepiad")


@pytest.fixture(scope="session")
def trained_simsid(small_radiographs, tmp_path_factory) -> Path:
    """Return the folder of a short training of SimSID."""
    return _train_once(tmp_path_factory.mktemp("trained_simsid"), small_radiographs, "simsid")


@pytest.fixture(scope="session")
def trained_ocad(small_skin, tmp_path_factory) -> Path:
    """Return the folder of a short training of OCAD."""
    return _train_once(tmp_path_factory.mktemp("trained_ocad"), small_skin, "ocad")


@pytest.fixture(scope="session")
def trained_sagan(small_radiographs, tmp_path_factory) -> Path:
    """Return the folder of a short training of SAGAN."""
    return _train_once(tmp_path_factory.mktemp("trained_sagan"), small_radiographs, "sagan")


@pytest.fixture(params=EXAMPLES)
def example(request) -> Example:
    """Each bundle, trained."""
    data, folder = EXAMPLES[request.param]
    return Example(request.param, request.getfixturevalue(data), request.getfixturevalue(folder))


def _train_once(folder: Path, data: Path, bundle: str) -> Path:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        train(folder, data, bundle=bundle)
    finally:
        os.chdir(before)
    return folder
