# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Runs of the bundles as a user does them, in this process: on small data, with tiny recipes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, run
from torch import nn

from monai_anomaly.bundle import CheckedWorkflow
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.recipes import RECIPES, TINY
from tests.helpers.repository import ROOT
from tests.helpers.trained_models import load, load_trained, spec_args


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
        workflow_name=CheckedWorkflow,
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


def tiny_words(name: str, data: Path, **overrides: Any) -> list[str]:
    """Return what makes a recipe tiny, on the command line."""
    return words({**RECIPES[name].tiny, "dataset_dir": data, **overrides})


def outputs(folder: Path) -> list[str]:
    """Where a training on the command line is to write."""
    return ["--output_dir", str(folder / "out"), "--ckpt_dir", str(folder / "models")]


@dataclass(frozen=True)
class Example:
    """A recipe of a bundle, a small data set for it, and the folder of a short training on that.

    Args:
        name: of the recipe.
        data: the data set's folder.
        folder: the training's folder, which tests share: it is not to be written to.
        more: what the recipe needs beside.
    """

    name: str
    data: Path
    folder: Path
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bundle(self) -> str:
        """The bundle's name."""
        return RECIPES[self.name].bundle

    @property
    def model(self) -> Path:
        """The trained detector's file."""
        return self.folder / "models" / "model.pt"

    @property
    def detector(self) -> nn.Module:
        """The trained detector, to be asked."""
        return load_trained(self.folder)

    def config(self, name: str) -> str:
        """Return a config file of the bundle as a user names it."""
        return config(name, self.bundle)

    def load(self, name: str = "model") -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return load(self.folder / "models" / f"{name}.pt")

    def train(self, folder: Path, **overrides: Any) -> None:
        """Train the same again, elsewhere."""
        recipe = RECIPES[self.name]
        more = {**self.more, **overrides}
        train(folder, self.data, bundle=recipe.bundle, overlays=recipe.overlays, tiny=recipe.tiny, **more)

    def images(self, section: str, label: int | None = None) -> torch.Tensor:
        """Return the images of a section, of one label if given, as the detector sees them."""
        preprocessing = Preprocessing(**spec_args(self.folder)["preprocessing"])
        items = load_datalist(str(self.data), section)
        return torch.stack([preprocessing(item)["image"] for item in items if label in (None, item["label"])])


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluate(
    folder: Path, data: Path, output: Path, *, bundle: str = "sepiad", **overrides: Any
) -> list[dict[str, str]]:
    """Evaluate the detector that was trained in a folder; the rows of ``scores.csv``."""
    model = str(folder / "models" / "model.pt")
    arguments = {"checkpoint": model, "dataset_dir": str(data), "output_dir": str(output), "device": "cpu"}
    run(config_file=config("evaluate", bundle), workflow_name=CheckedWorkflow, **{**arguments, **overrides})
    return table(output / "scores.csv")


def parse(bundle: str, *overlays: str, **overrides: Any) -> ConfigParser:
    """Return the training's configuration with overlays, at its full sizes."""
    parser = ConfigParser()
    parser.read_config([config(name, bundle) for name in ("train", *overlays)])
    parser.update(overrides)
    return parser
