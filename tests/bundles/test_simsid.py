# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What only the SimSID bundle and its recipes do, as a user runs them, through monai.bundle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.bundle import ConfigParser

from monai_anomaly.bundle import TrainedDetector
from tests.helpers.recipes import RECIPES
from tests.helpers.tiny_bundles import config, outputs, table, words

pytestmark = pytest.mark.usefixtures("at_root")


NAMES = [name for name, recipe in RECIPES.items() if recipe.bundle == "simsid"]


# ---- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_standardized_by_the_training_normals(examples, name):
    detector = examples(name).detector
    with torch.inference_mode():
        raw = detector.judge(examples(name).images("training"))[1].double()
    assert detector.score_mean.tolist() == pytest.approx(raw.mean(dim=0).tolist(), rel=1e-4, abs=1e-5)
    assert detector.score_std.tolist() == pytest.approx(raw.std(dim=0, correction=0).tolist(), rel=1e-4, abs=1e-6)
    assert float(raw.std()) > 0


def test_the_queue_and_the_schedule_are_in_the_checkpoint(examples):
    checkpoint = examples("simsid-squid").load("checkpoint")
    state = checkpoint["model"]
    assert state["generator.bottleneck.memory.memory"].shape[:2] == (4, 10)
    assert state["generator.bottleneck.memory.pointer"] == 3 * 2 * 4 % 10  # the generator's steps, not the critic's
    assert checkpoint["others"]["scheduler"]["last_epoch"] == 3
    generator, critic = (checkpoint["optimizers"][name]["param_groups"][0] for name in ("generator", "discriminator"))
    assert generator["lr"] < generator["initial_lr"] == critic["lr"] == 0.0004


def test_the_report_has_three_stages(examples):
    output = examples("simsid-report").folder / "output"
    for stage, names in (("teacher", {"teacher"}), ("student", {"student", "distillation", "inpainting"})):
        rows = table(output / stage / "history.csv")
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert rows[0].keys() == {"epoch", "iteration", "loss", *names, "val_kl"}
        assert rows[0]["val_kl"] == "" and float(rows[1]["val_kl"]) > 0
        curves = (output / stage / "losses.csv").read_text().splitlines()[0].split(",")
        assert set(curves) == {"epoch", *names, "val_kl"}
        assert ">val_kl</text>" in (output / stage / "loss_curves.svg").read_text()
        assert list((output / "tensorboard" / stage).glob("events*"))
    state = examples("simsid-report").load()["model"]
    filled = [value for key, value in state.items() if key.endswith("filled")]
    assert len(filled) == 3 and all(level.any() for level in filled)  # of patches, blocks and whole images


def test_the_report_has_one_budget_for_all_stages(examples, tmp_path, capfd):
    lengths = {"teacher_epochs": 10**6, "student_epochs": 7, "max_epochs": 10**6}
    example = examples("simsid-report")
    capfd.readouterr()
    example.train(tmp_path, **lengths, save_interval=10**6, max_minutes=1e-4)
    assert TrainedDetector.read(tmp_path / "models" / "model.pt").unfinished == "1 of 14 iterations of the student"
    for stage in ("", "teacher", "student"):
        assert table(tmp_path / "output" / stage / "history.csv")[0]["val_kl"]
        assert list((tmp_path / "output" / "tensorboard" / stage).glob("events*"))
    assert capfd.readouterr().out.count("Training of SimSID") == 1


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
        ("simsid", {"image_size": 34}, "grid must divide image_size, but (4, 4) does not divide (34, 34)"),
        ("simsid-report", {"image_size": 34}, "grid must divide image_size"),
        ("simsid", {"generator::neighborhood": 9}, "neighbors"),
        ("simsid-report", {"generator::inpainting::neighborhood": 9}, "neighbors"),
        ("simsid", {"generator::memory::top_k": 11}, "top_k must be from 1 to 10"),
        ("simsid-squid", {"generator::memory::top_k": 11}, "top_k must be from 2 to 10"),
        ("simsid", {"generator::slot": 11}, "the nearest known is 'slots'"),
        ("simsid-report", {"teacher_epoch": 3}, "the nearest known is 'teacher_epochs'"),
    ],
)
def test_a_setting_that_cannot_be(fails, small_radiographs, tmp_path, name, wrong, expected):
    overrides = {**RECIPES[name].tiny, "dataset_dir": small_radiographs, **wrong}
    assert expected in fails(name, *words(overrides), *outputs(tmp_path))
    assert not list(tmp_path.iterdir()), "something was left behind"


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one(fails, small_radiographs, tmp_path, name):
    overrides = {**RECIPES[name].tiny, "dataset_dir": small_radiographs, "batch_size": 1}
    assert "needs at least 2 images in training mode" in fails(name, *words(overrides), *outputs(tmp_path))
    assert {path.name for path in tmp_path.rglob("*.pt")} <= {"checkpoint.pt"}  # of before the last stage's first step


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
