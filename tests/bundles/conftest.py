# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Small data sets and one short training of each recipe, shared by the tests that only look at the result."""

from __future__ import annotations

import gc
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import resnet18

from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.recipes import RECIPES
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import Example, config

PYTHON = re.compile(r"Error\b|Traceback|NoneType|object at 0x|<class|\.py\b|tensor\(")
"""What a sentence for a user does not hold."""
DATA = {
    "sepiad": "small_phantom",
    "simsid": "small_radiographs",
    "ocad": "small_skin",
    "sagan": "small_radiographs",
    "embedding": "small_radiographs",
    "consensus": "other_radiographs",
}
"""The fixtures of the bundles' data."""
SMALL = {"seed": 1, "num_train": 12, "num_val": 6, "num_test": 12, "progress": False}


@pytest.fixture(scope="session")
def small_phantom(make_once) -> Path:
    """Return a phantom of a few images."""
    return make_once("phantom", lambda folder: make_phantom(folder, **SMALL))


@pytest.fixture(scope="session")
def small_radiographs(make_once) -> Path:
    """Return a phantom of a few radiographs, with a pool."""
    return make_once("radiographs", lambda folder: make_phantom(folder, kind="radiograph", num_unlabeled=12, **SMALL))


@pytest.fixture(scope="session")
def other_radiographs(make_once) -> Path:
    """Return a phantom of other radiographs, with normals of several patients to hold out."""
    more = {**SMALL, "seed": 2, "num_val": 16}
    return make_once("others", lambda folder: make_phantom(folder, kind="radiograph", num_unlabeled=12, **more))


@pytest.fixture(scope="session")
def small_skin(make_once) -> Path:
    """Return a phantom of a few pictures of the skin."""
    return make_once("skin", lambda folder: make_phantom(folder, kind="skin", **SMALL))


@pytest.fixture(scope="session")
def resnet(make_once) -> Path:
    """Return a file of weights of torchvision's ResNet-18, which nobody trained."""

    def make(folder: Path) -> None:
        torch.manual_seed(0)
        torch.save(resnet18(weights=None).state_dict(), folder / "resnet18.pt")

    return make_once("weights", make) / "resnet18.pt"


@pytest.fixture(scope="session")
def examples(request, make_once) -> Callable[[str], Example]:
    """Give a function that returns a recipe's example, trained when it is asked for first."""

    def example(name: str) -> Example:
        recipe = RECIPES[name]
        data = request.getfixturevalue(DATA[recipe.bundle])
        more: dict[str, Any] = {"weights": str(request.getfixturevalue("resnet"))} if recipe.resnet else {}
        if recipe.members:
            more["members"] = [str(example(member).model) for member in recipe.members]
        folder = make_once(f"trained-{name}", Example(name, data, Path(), more).train)
        return Example(name, data, folder, more)

    return example


@pytest.fixture(params=[name for name in DATA if not RECIPES[name].members])
def example(request, examples) -> Example:
    """Each bundle that is trained on images, trained."""
    return examples(request.param)


@pytest.fixture(params=[name for name, recipe in RECIPES.items() if not recipe.members])
def recipe(request, examples) -> Example:
    """Each recipe of each of these bundles, trained."""
    return examples(request.param)


@pytest.fixture
def trained(examples) -> Path:
    """Return the folder of a short training of SEPIAD."""
    return examples("sepiad").folder


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
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
        capfd.readouterr()
        sys.excepthook(caught.type, caught.value, caught.tb)
        printed = capfd.readouterr().err
        del caught
        gc.collect()  # nothing is left of the run, as when its process ends
        assert printed.startswith("error: ") and printed.count("\n") == 1, printed
        assert not PYTHON.search(printed), printed
        return printed

    return fail


@pytest.fixture
def fails_ocad(sentence) -> Callable[..., str]:
    """Give a function that runs a configuration of OCAD on the command line, to fail, and return its one sentence."""

    def fail(*arguments: str, names: tuple[str, ...] = ("train",)) -> str:
        return sentence("--config_file", str([config(name, "ocad") for name in names]), *arguments)

    return fail
