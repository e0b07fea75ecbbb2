# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The bundles and what makes a training of each tiny; how tests run them as a user does, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import run

from tests.helpers.repository import ROOT
from tests.helpers.trained_models import spec_args

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


def words(overrides: Mapping[str, Any]) -> list[str]:
    """Return overrides as a user writes them on the command line."""
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
