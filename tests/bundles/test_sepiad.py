# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The SEPIAD bundle as a user runs it, through monai.bundle."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import (
    ConfigParser,
)
from monai.utils import optional_import
from PIL import Image

from monai_anomaly.bundle import TrainedDetector
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import TINY, config, outputs, train, words
from tests.helpers.trained_models import assert_same, load

_, has_mlflow = optional_import("mlflow")


# ---- training ------------------------------------------------------------------------------------------------------


def test_training_leaves_a_model_a_history_and_curves(trained):
    model = load(trained / "models" / "model.pt")
    assert model["spec"]["network"]["latent_channels"] == 8
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["map_range"][0] == 0 < model["map_range"][1]
    rows = list(csv.DictReader((trained / "output" / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "reconstruction", "adversarial_image", "critic_latent", "weight_encoder"} <= rows[0].keys()
    assert rows[0]["val_auroc"] == "" and 0 <= float(rows[1]["val_auroc"]) <= 1
    assert list((trained / "output" / "tensorboard").glob("events*"))
    assert not list(trained.rglob(".*tmp*"))


def test_another_seed_gives_others(trained, small_phantom, tmp_path, at_root):
    train(tmp_path, small_phantom, seed=1, max_epochs=1, input_guard=False)
    assert TrainedDetector.read(tmp_path / "models" / "model.pt").guard is None
    a, b = load(tmp_path / "models" / "model.pt")["model"], load(trained / "models" / "model.pt")["model"]
    assert not torch.equal(a["encoder.head.1.weight"], b["encoder.head.1.weight"])


def test_a_killed_run_resumes_bit_identical(trained, small_phantom, tmp_path, at_root):
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
        from tests.helpers.tiny_bundles import train

        save = TrainingCheckpoint._save
        def save_and_die(self, engine):
            save(self, engine)
            if engine.state.epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        TrainingCheckpoint._save = save_and_die
        train(Path({str(tmp_path)!r}), Path({str(small_phantom)!r}))
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=300)
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 2
    train(tmp_path, small_phantom, resume=True)
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(trained / "models" / name))
    whole, resumed = (f / "output" / "history.csv" for f in (trained, tmp_path))
    assert resumed.read_text() == whole.read_text()


def test_a_time_budget_ends_with_a_final_checkpoint(small_phantom, tmp_path, at_root):
    start = time.monotonic()
    train(tmp_path, small_phantom, max_epochs=10**6, pretrain_epochs=10**6, max_minutes=0.2)
    assert time.monotonic() - start < 60
    assert (tmp_path / "models" / "model.pt").is_file()


def test_piad_three_channels_and_file_weights(trained, small_phantom, tmp_path, at_root):
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


@pytest.mark.skipif(not has_mlflow, reason="mlflow is not installed: pip install monai_anomaly[mlflow]")
def test_mlflow_tracking(small_phantom, tmp_path, at_root):
    train(tmp_path, small_phantom, max_epochs=1, tracking="mlflow")
    import sqlite3

    with sqlite3.connect(tmp_path / "output" / "mlruns.db") as database:
        names = {row[0] for row in database.execute("select distinct key from metrics")}
    assert "train_loss" in names


# ---- bad input -----------------------------------------------------------------------------------------------------


def fails(tmp_path: Path, *arguments: str, config_name: str = "train") -> str:
    """Run on the command line, expect a failure, and return its one sentence."""
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config(config_name), *arguments]
    before = sorted(p.name for p in tmp_path.rglob("*"))
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr, result.stderr[-3000:]
    assert sorted(p.name for p in tmp_path.rglob("*")) == before, "something was left behind"
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


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


def test_a_mistyped_key(tmp_path):
    assert "'max_epochs'" in fails(tmp_path, "--max_epoch", "3", *outputs(tmp_path))


def test_a_missing_file(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}, {"image": "b.png", "label": 0, "missing": True}],
        validation=[{"image": "c.png", "label": 0}],
    )
    assert "training[1] of dataset.json" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_patient_in_two_splits(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0, "group": "p7"}],
        validation=[{"image": "c.png", "label": 0, "group": "p7"}],
    )
    assert "is in training and in validation" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_folder_without_normals(tmp_path):
    (tmp_path / "data" / "train" / "abnormal").mkdir(parents=True)
    assert "normal" in fails(tmp_path, "--dataset_dir", str(tmp_path / "data"), *outputs(tmp_path))


def test_an_image_that_is_too_small(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}],
        validation=[{"image": "c.png", "label": 0}],
    )
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(data / "a.png")
    assert "entry 0" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_test_set_of_one_class(trained, tmp_path):
    data = write_list(tmp_path / "data", training=[], validation=[], test=[{"image": "a.png", "label": 0}])
    model = str(trained / "models" / "model.pt")
    arguments = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out"), "--checkpoint", model]
    assert "undefined" in fails(tmp_path, *arguments, config_name="evaluate")


def test_no_checkpoint(small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(tmp_path / "none.pt")]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "train first" in fails(tmp_path, *arguments, config_name="evaluate")


def test_a_checkpoint_of_another_architecture(trained, small_phantom, tmp_path):
    shutil.copytree(trained / "models", tmp_path / "models")
    overrides = words(TINY["sepiad"])
    arguments = [*overrides, "--dataset_dir", str(small_phantom), "--resume", "True", "--se", "False"]
    sentence = fails(tmp_path, *arguments, *outputs(tmp_path))
    assert "network.se is True there and False here" in sentence


def test_a_damaged_checkpoint(trained, small_phantom, tmp_path):
    damaged = tmp_path / "model.pt"
    damaged.write_bytes((trained / "models" / "model.pt").read_bytes()[:5000])
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(damaged)]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "damaged" in fails(tmp_path, *arguments, config_name="inference")


def test_weights_that_are_nowhere(small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--weights", str(tmp_path / "none.pt"), *outputs(tmp_path)]
    assert "no such file" in fails(tmp_path, *arguments)


def test_imagenet_weights_that_cannot_be_had_name_the_alternatives(small_phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config("train")]
    command += ["--dataset_dir", str(small_phantom), "--weights", "imagenet", "--feature_width", "1.0"]
    result = subprocess.run([*command, *outputs(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert "self_supervised" in result.stderr.strip().splitlines()[-1]


# ---- overlays -----------------------------------------------------------------------------------------------------


def test_the_overlay_for_few_normals_reaches_both_stages(at_root):
    parser = ConfigParser()
    parser.read_config([config("train"), config("few_normals")])
    parser.parse()
    assert parser.get_parsed_content("augment").rotate == 15.0
    assert parser["pretrain#objective#augment"]["rotate"] == 15.0


def test_the_published_recipe_has_the_published_networks(at_root):
    parser = ConfigParser()
    parser.read_config([config("train"), config("paper")])
    parser["se"] = False

    def count(module):
        return sum(p.numel() for p in module.parameters())

    network = parser.get_parsed_content("network_def")
    assert (count(network.encoder), count(network.decoder)) == (3_452_672, 2_825_219)
    parser["se_in_critic"] = False
    assert count(parser.get_parsed_content("train#image_critic")) == 603_905
    assert count(parser.get_parsed_content("train#latent_critic")) == 1_313_793
    assert parser.get_parsed_content("max_epochs") * parser.get_parsed_content("epoch_length") == 20_000
