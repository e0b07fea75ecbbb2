# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Every command and every piece of Python on a page runs as it is written there.

The words in capitals (DIR, NEW, OUT, ...) are folders of the working directory. Keys that make a training tiny are
appended; a pipe and what follows it is left out. What is not run is listed with the reason.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from monai.bundle import run

from monai_anomaly.apps.acceptance.limits import default_text
from monai_anomaly.bundle import CheckedWorkflow
from monai_anomaly.phantom.generators import find_generator
from monai_anomaly.phantom.phantom import make_phantom
from tests.apps.drift.test_assessment import make_records
from tests.helpers.documented import PAGES, blocks, unseen_lines
from tests.helpers.processes import run_fresh, run_module
from tests.helpers.recipes import RECIPES, TINY
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import config, words

pytestmark = pytest.mark.commands

KINDS = {
    "sepiad": "ultrasound",
    "simsid": "radiograph",
    "sagan": "radiograph",
    "ocad": "skin",
    "embedding": "radiograph",
    "consensus": "radiograph",
}
"""The phantom of each bundle."""
NOT_RUN = {
    r"\S*python3? -m (venv|pip) |pip install ": "installs; the first thing that CI does",
    r"\S*python -m pytest|make ": "what runs this",
    r"tensorboard |mlflow |monai-anomaly serve ": "serves until it is ended",
    r"sh integrations/label/|monailabel |curl |export MONAI_": "of MONAI Label, for tests with the mark label",
    r"monai-anomaly evaluate embedding --dataset_dir STUDIES": "of readers' verdicts, which these tests have not",
    r"eval |\. \.venv": "sets up the shell that it is typed into",
    r"sh integrations/deploy/|\.venv-deploy/": "of MONAI Deploy, whose apps tests with the mark deploy run",
    r"torchrun |export TORCH_": "test_several_processes runs one of these lines, and the configurations of the others",
}
"""Beginnings of commands that are not run, and why."""
MORE_TINY: dict[str, dict[str, Any]] = {
    "sepiad-paper": {**TINY["sepiad"], "weights": "self_supervised"},  # ImageNet's would be downloaded
    "ocad-paper": {**RECIPES["ocad-paper"].tiny, "weights": "resnet18.pth"},
}
COMMANDS = unseen_lines([block for page in PAGES for block in blocks(page, "bash")])
OF_THEIR_OWN = ("adding_a_method.md", "python.md")
"""Pages whose Python has a test in tests/docs."""
PYTHON = [block for page in PAGES if page.name not in OF_THEIR_OWN for block in blocks(page, "python")]


@pytest.fixture(scope="session")
def cache(make_once) -> Path:
    """Return a cache with a small phantom of each kind, with normals of enough patients to calibrate by."""

    def make(folder: Path) -> None:
        for kind in dict.fromkeys(KINDS.values()):
            size = {"num_train": 12, "num_val": 44, "num_test": 12, "progress": False}
            pool = {"num_unlabeled": 180} if kind == "radiograph" else {}
            make_phantom(folder / f"{find_generator(kind).folder}-seed0", kind=kind, seed=5, **size, **pool)

    return make_once("cache", make)


def phantom(cache: Path, bundle: str) -> Path:
    return cache / f"{find_generator(KINDS[bundle]).folder}-seed0"


@pytest.fixture(scope="session")
def ready(make_once, examples, cache):
    """Give a function that returns the folder ``models`` of a bundle: trained, and calibrated by its phantom."""

    def of(bundle: str) -> Path:
        def make(folder: Path) -> None:
            for name in ("model.pt", "checkpoint.pt"):
                shutil.copy(examples(bundle).folder / "models" / name, folder)
            places = {"checkpoint": str(folder / "model.pt"), "dataset_dir": str(phantom(cache, bundle))}
            run(run_id="calibrate", config_file=config("calibrate", bundle), workflow_name=CheckedWorkflow, **places)

        return make_once(f"calibrated-{bundle}", make)

    return of


@pytest.fixture
def place(tmp_path, cache, ready, resnet, examples):
    """Give a function that makes the working directory ready for the commands of a bundle, and returns it."""

    def prepare(bundle: str) -> Path:
        data = phantom(cache, bundle)
        if not (tmp_path / "bundles" / bundle).is_dir():
            ignored = shutil.ignore_patterns("models", "output")
            shutil.copytree(ROOT / "bundles" / bundle, tmp_path / "bundles" / bundle, ignore=ignored)
            shutil.copytree(ready(bundle), tmp_path / "bundles" / bundle / "models")
        for name, target in {
            **{name: data for name in ("DIR", "DIR1", "archive")},
            **{name: data / "test" for name in ("NEW", "POOL")},
            "resnet18.pth": resnet,
            "image.dcm": min((data / "test").iterdir()),
            "models": ready(bundle),
            **{f"{member}.pt": examples(member).model for member in RECIPES[bundle].members},
        }.items():
            (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / name).symlink_to(target)
        _link_section(tmp_path / "NORMALS", data, "validation", 0)
        _link_section(tmp_path / "ABNORMAL", data, "test", 1)
        (tmp_path / "limits.yaml").write_text(default_text())
        _link_again(tmp_path / "DIR2", data)
        for month in ("JANUARY", "FEBRUARY"):
            (tmp_path / month).mkdir(exist_ok=True)
            records = make_records(30, threshold=None)
            (tmp_path / month / "records.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
        return tmp_path

    return prepare


def _link_section(folder: Path, data: Path, section: str, label: int) -> None:
    """Make a folder of the images of a section that have a label."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for entry in json.loads((data / "dataset.json").read_text())[section]:
        if entry["label"] == label:
            (folder / Path(entry["image"]).name).symlink_to(data / entry["image"])


def _link_again(folder: Path, data: Path) -> None:
    """Make a second data set of the same files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in data.iterdir():
        (folder / path.name).symlink_to(path)


def bundle_of(line: str) -> str:
    named = re.search(r"\b(" + "|".join(KINDS) + r")\b", line)
    return named[1] if named else "sepiad"


def trains(line: str) -> bool:
    return bool({"train", "training"} & set(line.split()))


def shortened(line: str) -> list[str]:
    """Return the words of a command, without what follows a pipe, with what makes its training tiny."""
    given = shlex.split(re.split(r" [|>] ", line)[0])
    if given[0] in ("python", ".venv/bin/python"):
        given = given[2:]  # without -m
    if "onnx_export" in given:
        shape = given.index("--input_shape") + 1
        given[shape] = re.sub(r"64|128", "32", given[shape])
    if trains(line):
        bundle = bundle_of(line)
        overlay = next(
            (name for name in ("paper", "squid", "report", "reference") if re.search(rf"\b{name}\b", line)), ""
        )
        recipe = f"{bundle}-{overlay}" if overlay else bundle
        tiny = MORE_TINY.get(recipe) or (RECIPES[recipe].tiny if recipe in RECIPES else TINY[bundle])
        given += words({key: value for key, value in tiny.items() if f"--{key}" not in given})
    return given


CELLS = {"benchmark": "benchmark.run_benchmark", "pool_curve": "pool_curve.run_pool_curve"}
"""The verbs that train many detectors, and where."""


def without_cells(module: str, *given: str) -> None:
    """Run a comparison up to its first training."""
    with patch(f"monai_anomaly.apps.{CELLS[given[0]]}.run_all"):
        run_module(module, *given)


def execute(line: str, folder: Path, cache: Path) -> None:
    module, *given = shortened(line)
    module = {"monai-anomaly": "monai_anomaly"}.get(module, module)
    variables = {**os.environ, "MONAI_ANOMALY_CACHE": str(cache), "TQDM_DISABLE": "1"}
    run_it = without_cells if given[0] in CELLS else run_module
    result = run_fresh(run_it, module, *given, environment=variables, folder=folder)
    # cells not done; a data list is no image; a detector that is not trained
    known = {"inspect": {0, 3}, "accept": {0, 3}, "drift": {0, 3}, **{verb: {1} for verb in CELLS}}
    expected = known.get(given[0], {0})
    if "at least 20 are needed" in result.stderr:  # of drift, which has read everything by then: the phantom is small
        expected = {1}
    assert result.returncode in expected, f"{line}\n{result.stdout[-1500:]}\n{result.stderr[-1500:]}"


def reason(line: str) -> str | None:
    return next((why for beginning, why in NOT_RUN.items() if re.match(beginning, line)), None)


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_the_commands_run(block, place, cache):
    for line in (line for line in block.lines if not reason(line)):
        folder = place(bundle_of(line))
        execute(line, folder, cache)
        if trains(line):  # the calibration that was made ready is of other weights
            (folder / "bundles" / bundle_of(line) / "models" / "calibration.json").unlink(missing_ok=True)


def execute_python(text: str) -> None:
    exec(compile(text, "the page", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_the_python_runs(block, place, cache):
    folder, text = place("sepiad"), "\n".join(block.lines)
    if "SCORED/" in text:
        execute("monai-anomaly predict NEW SCORED --bundle sepiad --engine ray --workers 1", folder, cache)
    if "OUT/" in text:
        execute("monai-anomaly predict NEW OUT --bundle sepiad", folder, cache)
    result = run_fresh(execute_python, text, folder=folder)
    assert result.returncode == 0, f"{text}\n{result.stderr[-1500:]}"


def test_what_is_not_run_is_still_there():
    lines = [line for block in COMMANDS for line in block.lines]
    for beginning in NOT_RUN:
        assert any(re.match(beginning, line) for line in lines), beginning
