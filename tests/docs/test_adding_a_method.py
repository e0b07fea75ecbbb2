# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The page that says how to add a method: its files, put in their places, make a bundle that trains and evaluates."""

from __future__ import annotations

import csv
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from monai.bundle import run

from bundles._base.generate import METHODS, bundle_files, write_bundle
from monai_anomaly.engines import objectives
from monai_anomaly.networks import nets
from monai_anomaly.networks.nets import registry
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT

PAGE = (ROOT / "docs" / "adding_a_method.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^## \d\. [^\n]*`([\w/.]+\.(?:py|json))`\n.*?^```\w+\n(.*?)^```", PAGE, flags=re.M | re.S))
"""Path and text of each file of the page."""
METHOD = "bundles/_base/methods/patches.json"
PACKAGES = {"monai_anomaly/networks/nets": nets, "monai_anomaly/engines/objectives": objectives}


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Return a folder with the page's files; those of the package can be imported as if they were in it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for folder, package in PACKAGES.items():
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
        monkeypatch.setattr(package, "patches", None, raising=False)  # what importing it sets is taken away again
    (line,) = re.findall(r'`"(\w+)": "([\w.]+)"` in\n\[`registry.py`\]', PAGE)
    monkeypatch.setitem(registry.DETECTORS, *line)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if re.match(r"monai_anomaly\..*\.patches\b", name)]:
        del sys.modules[name]


def test_a_fifth_method_is_three_files():
    assert list(FILES) == [
        "monai_anomaly/networks/nets/patches/patches.py",
        "monai_anomaly/engines/objectives/patches.py",
        METHOD,
    ]


def test_the_notebook_has_the_same_network_and_objective():
    notebook = (ROOT / "docs" / "notebooks" / "adding_a_method.md").read_text(encoding="utf-8")
    classes = [text[text.index("class ") :] for name, text in FILES.items() if name.endswith(".py")]
    assert len(classes) == 2 and all(text in notebook for text in classes)


def test_the_page_says_how_many_lines_of_json_a_method_writes(repository):
    (stated, of_the_bundle) = map(int, re.findall(r"here (\d+) lines of JSON, and the bundle has (\d+)", PAGE)[0])
    texts = [text for name, text in bundle_files(repository / METHOD).items() if name.endswith(".json")]
    assert stated == len(FILES[METHOD].splitlines()) <= 160
    assert of_the_bundle == round(sum(len(text.splitlines()) for text in texts), -2)


def test_the_example_trains_and_evaluates(repository):
    write_bundle(repository / METHOD, repository / "bundles" / "patches")
    data = make_phantom(repository / "data", seed=1, num_train=12, num_val=6, num_test=12)
    common = {"dataset_dir": str(data), "device": "cpu"}
    short = {"image_size": 32, "max_epochs": 3, "epoch_length": 4, "val_interval": 3, "batch_size": 4}
    run(run_id="training", config_file="bundles/patches/configs/train.json", **common, **short)
    run(config_file="bundles/patches/configs/evaluate.json", **common)

    output = repository / "bundles" / "patches" / "output"
    losses = [float(row["reconstruction"]) for row in csv.DictReader((output / "history.csv").open())]
    assert losses[-1] < losses[0]
    assert 0 <= json.loads((output / "metrics.json").read_text())["auroc"] <= 1
    assert "Patches" in (output / "report.html").read_text(encoding="utf-8")


def test_what_a_method_takes_in_is_there():
    names = re.findall(r'`"with": \["(\w+)"\]`', PAGE)
    assert names and all((METHODS.parent / "extras" / f"{name}.json").is_file() for name in names)
