# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One small data set and one short training of each bundle, shared by the tests that only look at the result."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import EXAMPLES, Example, train


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
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
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
