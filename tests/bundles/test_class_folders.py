# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Class folders without splits and with names of findings, from training to decisions, as a user types it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from monai_anomaly.data.lists.datalist import load_datalist
from tests.helpers.processes import run_fresh, run_module
from tests.helpers.tiny_bundles import config, evaluate, outputs, tiny_words
from tests.helpers.trained_models import load

pytestmark = pytest.mark.usefixtures("at_root")

COUNTS = {"normal": 24, "Cyst": 8, "tumor": 8}
SPLIT = {"split_seed": 4, "split_shares": [0.3, 0.4, 0.3]}


@pytest.fixture(scope="module")
def tree(make_once) -> Path:
    """Return pictures of noise in class folders, without splits."""

    def make(root: Path) -> None:
        generator = np.random.default_rng(0)
        for folder, count in COUNTS.items():
            (root / folder).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 255, (32, 32), np.uint8)
                Image.fromarray(pixels).save(root / folder / f"{number:02}.png")

    return make_once("class-folders", make)


def words(folders: str) -> list[str]:
    split = [word for key, value in SPLIT.items() for word in (f"--{key}", str(value))]
    return [*split, "--abnormal_folders", folders]


def details(output: Path) -> dict[str, Any]:
    """Return what an evaluation says of its run."""
    return json.loads((output / "metrics.json").read_text())["details"]


def run_line(*line: str) -> str:
    """Run ``python -m monai.bundle`` and return what it prints."""
    ended = run_fresh(run_module, "monai.bundle", *line)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_evaluation_says_what_adds_decisions_and_it_does(tree, tmp_path):
    """Each form of the key, on the command line; later runs take it from the checkpoint."""
    files = ("--config_file", config("train"))
    run_line("run", "training", *files, *tiny_words("sepiad", tree), *outputs(tmp_path), *words("['cyst','tumor']"))
    model = tmp_path / "models" / "model.pt"
    assert load(model)["spec"]["data"]["abnormal_folders"] == ["cyst", "tumor"]

    line = ("run", "--config_file", config("evaluate"), "--dataset_dir", str(tree), "--checkpoint", str(model))
    line = (*line, "--output_dir", str(tmp_path / "out"), "--device", "cpu")
    printed = run_line(*line).splitlines()
    items = load_datalist(tree, "test", abnormal_folders="*", seed=4, split_shares=SPLIT["split_shares"])
    n_abnormal = sum(item["label"] for item in items)
    assert f"images             {len(items) - n_abnormal} normal, {n_abnormal} abnormal" in printed

    place = printed.index("Next, for p-values and decisions, calibrate with held-out normals and evaluate again")
    assert details(tmp_path / "out")["abnormal folders"] == ["cyst", "tumor"]
    python, *command = shlex.split(printed[place + 1])
    assert (python, command[:2]) == ("python", ["-m", "monai.bundle"])
    run_line(*command[2:])
    assert (model.parent / "calibration.json").is_file()
    again = run_line(*line)
    assert "false-alarm rate 10 %" in again and "Next" not in again


@pytest.mark.parametrize("folders", ["cyst,tumor", "*"])
def test_forms_of_the_key_on_the_command_line(trained, tree, tmp_path, folders):
    line = ("--config_file", config("evaluate"), "--checkpoint", str(trained / "models" / "model.pt"))
    line = (*line, "--dataset_dir", str(tree), "--output_dir", str(tmp_path), "--device", "cpu")
    assert " abnormal\n" in run_line("run", *line, *words(folders))
    assert "abnormal folders" not in details(tmp_path)  # the training named none


def test_a_single_name(trained, tree, tmp_path):
    line = ("--config_file", config("evaluate"), "--checkpoint", str(trained / "models" / "model.pt"))
    ended = run_fresh(run_module, "monai.bundle", "run", *line, "--dataset_dir", str(tree), *words("Cyst"))
    assert ended.returncode == 1 and "--abnormal_folders \"['tumor']\"" in ended.stderr


def test_a_checkpoint_from_before_the_key_is_evaluated(trained, tree, tmp_path):
    (tmp_path / "models").mkdir()
    content = load(trained / "models" / "model.pt")
    del content["spec"]["data"]["abnormal_folders"]
    torch.save(content, tmp_path / "models" / "model.pt")
    rows = evaluate(tmp_path, tree, tmp_path / "out", abnormal_folders=["cyst", "tumor"])
    assert {row["label"] for row in rows} == {"0", "1"}
