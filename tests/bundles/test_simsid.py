# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The SimSID bundle and its recipes as a user runs them, through monai.bundle."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, run
from monai.data import load_net_with_metadata

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import SHORT, TINY, config, outputs, words
from tests.helpers.tiny_bundles import train as train_bundle
from tests.helpers.trained_models import assert_same, load, load_trained, spec_args, spread

pytestmark = pytest.mark.usefixtures("at_root")


@dataclass(frozen=True)
class Recipe:
    """Overlays over ``train.json``, what makes them tiny, and the losses in the history."""

    overlays: tuple[str, ...] = ()
    tiny: dict[str, Any] = field(default_factory=lambda: TINY["simsid"])
    losses: tuple[str, ...] = ("discriminator", "student", "teacher", "distillation", "adversarial")


RECIPES = {
    "train": Recipe(losses=("student", "map")),
    "paper": Recipe(("paper", "small")),
    "squid": Recipe(("squid", "small")),
    "report": Recipe(
        ("report", "small_report"),
        {
            **SHORT,
            "generator::grid": 4,
            "generator::channels": [4, 8],
            "generator::dim": 8,
            "generator::memory::top_k": 2,
            "generator::inpainting::heads": 2,
            "generator::inpainting::layers": 1,
            "discriminator::channels": [4, 4, 4],
            "teacher_epochs": 2,
            "student_epochs": 2,
        },
        ("discriminator",),
    ),
}


def train(name: str, folder: Path, data: Path, **overrides: Any) -> None:
    """Train a tiny one."""
    recipe = RECIPES[name]
    train_bundle(folder, data, bundle="simsid", overlays=recipe.overlays, tiny=recipe.tiny, **overrides)


@pytest.fixture(scope="module")
def trained_recipes(trained_simsid, small_radiographs, tmp_path_factory) -> dict[str, Path]:
    """Return the folder of a short training of each recipe."""
    folders = {"train": trained_simsid}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name in RECIPES.keys() - folders.keys():
            folders[name] = tmp_path_factory.mktemp(name)
            train(name, folders[name], small_radiographs)
    return folders


def history(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").open()))


def normals(folder: Path, data: Path) -> torch.Tensor:
    """Return the images that a detector was trained on."""
    preprocessing = Preprocessing(**spec_args(folder)["preprocessing"])
    return torch.stack([preprocessing(item)["image"] for item in load_datalist(str(data), "training")])


# ---- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_training_leaves_a_model_a_history_and_curves(trained_recipes, name):
    folder, losses = trained_recipes[name], RECIPES[name].losses
    model = load(folder / "models" / "model.pt")
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert (model["spec"]["detector"], model["spec"]["network"]["image_size"]) == ("SimSID", 32)
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["map_range"][0] < model["map_range"][1]
    assert not [key for key in model["model"] if "teacher" in key]
    assert_same(load(folder / "models" / "checkpoint.pt")["model"], model["model"])
    rows = history(folder / "output")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["val_kl"] == rows[0]["val_auroc"] == rows[2]["val_kl"] == ""
    assert float(rows[1]["val_kl"]) > 0 and 0 <= float(rows[1]["val_auroc"]) <= 1
    assert all(float(row[loss]) > 0 for row in rows for loss in losses)
    assert list((folder / "output" / "tensorboard").glob("events*"))
    assert not list(folder.rglob(".*tmp*"))


@pytest.mark.parametrize("name", RECIPES)
def test_the_curves_are_those_of_the_history(trained_recipes, name):
    output, losses = trained_recipes[name] / "output", RECIPES[name].losses
    curves = list(csv.DictReader((output / "losses.csv").open()))
    assert list(curves[0]) == ["epoch", "loss", *losses]
    assert curves == [{key: row[key] for key in curves[0]} for row in history(output)]
    drawing = (output / "loss_curves.svg").read_text()
    assert drawing.startswith("<svg ") and all(f">{loss}</text>" in drawing for loss in losses)


@pytest.mark.parametrize("name", RECIPES)
def test_scores_are_standardized_by_the_training_normals(trained_recipes, small_radiographs, name):
    detector = load_trained(trained_recipes[name])
    with torch.inference_mode():
        raw = detector.judge(normals(trained_recipes[name], small_radiographs))[1].double()
    assert detector.score_mean.tolist() == pytest.approx(raw.mean(dim=0).tolist(), rel=1e-4, abs=1e-5)
    assert detector.score_std.tolist() == pytest.approx(raw.std(dim=0, correction=0).tolist(), rel=1e-4, abs=1e-6)
    assert float(raw.std()) > 0


def test_another_seed_gives_others(trained_simsid, small_radiographs, tmp_path):
    train("train", tmp_path, small_radiographs, seed=1, max_epochs=1)
    a, b = (load(folder / "models" / "model.pt")["model"] for folder in (tmp_path, trained_simsid))
    assert not torch.equal(a["generator.bottleneck.memory.memory"], b["generator.bottleneck.memory.memory"])


@pytest.mark.parametrize("name", ["train", "squid", "report"])
def test_an_interrupted_run_resumes_bit_identical(trained_recipes, small_radiographs, tmp_path, monkeypatch, name):
    save = TrainingCheckpoint._save

    def save_and_stop(self, engine):
        save(self, engine)
        if engine.state.epoch == 2:
            raise RuntimeError("interrupted")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(TrainingCheckpoint, "_save", save_and_stop)
        train(name, tmp_path, small_radiographs)
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 2
    for stage in ("teacher", "student"):
        shutil.rmtree(tmp_path / "output" / stage, ignore_errors=True)
    train(name, tmp_path, small_radiographs, resume=True)
    for file in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / file), load(trained_recipes[name] / "models" / file))
    for file in ("history.csv", "losses.csv", "loss_curves.svg"):
        whole, resumed = (folder / "output" / file for folder in (trained_recipes[name], tmp_path))
        assert resumed.read_text() == whole.read_text()
    assert not [stage for stage in ("teacher", "student") if (tmp_path / "output" / stage).exists()]


def test_the_queue_and_the_schedule_are_in_the_checkpoint(trained_recipes):
    checkpoint = load(trained_recipes["squid"] / "models" / "checkpoint.pt")
    state = checkpoint["model"]
    assert state["generator.bottleneck.memory.memory"].shape[:2] == (4, 10)
    assert state["generator.bottleneck.memory.pointer"] == 3 * 2 * 4 % 10  # the generator's steps, not the critic's
    assert checkpoint["others"]["scheduler"]["last_epoch"] == 3
    generator, critic = (checkpoint["optimizers"][name]["param_groups"][0] for name in ("generator", "discriminator"))
    assert generator["lr"] < generator["initial_lr"] == critic["lr"] == 0.0004


def test_the_report_has_three_stages(trained_recipes):
    output = trained_recipes["report"] / "output"
    for stage, names in (("teacher", {"teacher"}), ("student", {"student", "distillation", "inpainting"})):
        rows = history(output / stage)
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert rows[0].keys() == {"epoch", "iteration", "loss", *names, "val_kl"}
        assert rows[0]["val_kl"] == "" and float(rows[1]["val_kl"]) > 0
        curves = (output / stage / "losses.csv").read_text().splitlines()[0].split(",")
        assert set(curves) == {"epoch", *names, "val_kl"}
        assert ">val_kl</text>" in (output / stage / "loss_curves.svg").read_text()
        assert list((output / "tensorboard" / stage).glob("events*"))
    state = load(trained_recipes["report"] / "models" / "model.pt")["model"]
    filled = [value for key, value in state.items() if key.endswith("filled")]
    assert len(filled) == 3 and all(level.any() for level in filled)  # of patches, blocks and whole images


def test_the_report_has_one_budget_for_all_stages(small_radiographs, tmp_path):
    endless = {"teacher_epochs": 10**6, "student_epochs": 10**6, "max_epochs": 10**6}
    train("report", tmp_path, small_radiographs, **endless, save_interval=10**6, max_minutes=0.02)
    assert (tmp_path / "models" / "model.pt").is_file()


# ---- after the training ---------------------------------------------------------------------------------------------


def test_a_calibration_decides(trained_recipes, small_radiographs, tmp_path):
    model = tmp_path / "model.pt"
    shutil.copy(trained_recipes["report"] / "models" / "model.pt", model)
    arguments = {"checkpoint": str(model), "dataset_dir": str(small_radiographs), "device": "cpu"}
    run(run_id="calibrate", config_file=config("calibrate", "simsid"), **arguments)
    calibration = Calibration.load(tmp_path / "calibration.json")
    known = [item for item in load_datalist(str(small_radiographs), "validation") if item["label"] == 0]
    assert (calibration.n_images, calibration.n_patients) == (len(known), len({item["group"] for item in known}))
    more = {"output_dir": str(tmp_path / "out"), "false_alarm_rate": calibration.least_rate, "guard": False}
    run(config_file=config("inference", "simsid"), **arguments, **more)
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert len(records) == 12
    for record in records:
        assert 0 <= record["score"] <= 1  # bounded, as published
        assert record["p_value"] == calibration.p_value(record["score"])
        assert record["decision"] == calibration.decide(record["score"], calibration.least_rate)


@pytest.mark.parametrize("name", ["squid", "report"])
def test_other_recipes_export_too(trained_recipes, small_radiographs, tmp_path, name):
    model = str(trained_recipes[name] / "models" / "model.pt")
    ckpt_export(
        "network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=model,
        meta_file=config("metadata", "simsid"),
        config_file=config("inference", "simsid"),
        key_in_ckpt="model",
        checkpoint=model,
    )
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    detector = load_trained(trained_recipes[name])
    images = normals(trained_recipes[name], small_radiographs)
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(images), detector(images), atol=1e-5 / spread(detector), rtol=1e-5)


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fails(sentence) -> Callable[..., str]:
    """Give a function that runs a training of a recipe on the command line and return its one sentence."""

    def fail(name: str, *arguments: str) -> str:
        files = [config(n, "simsid") for n in ("train", *RECIPES[name].overlays)]
        return sentence("training", "--config_file", str(files), *arguments)

    return fail


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        ("train", {"image_size": 34}, "grid must divide image_size, but (4, 4) does not divide (34, 34)"),
        ("report", {"image_size": 34}, "grid must divide image_size"),
        ("train", {"generator::neighborhood": 9}, "neighbors"),
        ("report", {"generator::inpainting::neighborhood": 9}, "neighbors"),
        ("train", {"generator::memory::top_k": 11}, "top_k must be from 1 to 10"),
        ("squid", {"generator::memory::top_k": 11}, "top_k must be from 2 to 10"),
        ("train", {"generator::slot": 11}, "the nearest known is 'slots'"),
        ("report", {"teacher_epoch": 3}, "the nearest known is 'teacher_epochs'"),
    ],
)
def test_a_setting_that_cannot_be(fails, small_radiographs, tmp_path, name, wrong, expected):
    overrides = {**RECIPES[name].tiny, "dataset_dir": small_radiographs, **wrong}
    assert expected in fails(name, *words(overrides), *outputs(tmp_path))
    assert not list(tmp_path.iterdir()), "something was left behind"


@pytest.mark.parametrize("name", RECIPES)
def test_a_batch_of_one(fails, small_radiographs, tmp_path, name):
    overrides = {**RECIPES[name].tiny, "dataset_dir": small_radiographs, "batch_size": 1}
    assert "needs at least 2 images in training mode" in fails(name, *words(overrides), *outputs(tmp_path))
    assert not list(tmp_path.rglob("*.pt"))


def test_another_layout_of_the_memory(fails, trained_simsid, small_radiographs, tmp_path):
    shutil.copytree(trained_simsid / "models", tmp_path / "models")
    before = (tmp_path / "models" / "checkpoint.pt").read_bytes()
    overrides = {**TINY["simsid"], "dataset_dir": small_radiographs, "generator::slots": 12, "resume": True}
    assert "network.generator.slots is 10 there and 12 here" in fails("train", *words(overrides), *outputs(tmp_path))
    assert (tmp_path / "models" / "checkpoint.pt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


# ---- overlays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlays", "size"),
    [
        ((), 64),
        (("paper",), 128),
        (("squid",), 128),
        (("report",), 128),
        (("paper", "small"), 64),
        (("squid", "small"), 64),
        (("report", "small_report"), 64),
        (("select_by_pool",), 64),
    ],
)
def test_recipes_make_their_networks(overlays, size):
    parser = ConfigParser()
    parser.read_config([config(name, "simsid") for name in ("train", *overlays)])
    detector = parser.get_parsed_content("network_def")
    assert (detector.image_size, detector.bounded) == (size, bool(set(overlays) - {"select_by_pool"}))


@pytest.mark.parametrize("overlay", ["paper", "squid", "report", "select_by_pool"])
def test_recipes_have_what_monai_expects_of_a_bundle(small_radiographs, tmp_path, overlay):
    files = [config(name, "simsid") for name in ("train", overlay)]
    places = {"dataset_dir": str(small_radiographs), "output_dir": str(tmp_path), "ckpt_dir": str(tmp_path)}
    if overlay == "select_by_pool":
        places["pool_dir"] = str(small_radiographs / "test")
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, **places)
    workflow.initialize()
    assert workflow.check_properties() == []
