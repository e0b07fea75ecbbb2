# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SAGAN's pool of unlabeled images, as a user runs the bundle, through monai.bundle."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.data_lists import Sections, relist, remove_labels, remove_pool
from tests.helpers.recipes import RECIPES
from tests.helpers.tiny_bundles import parse, table
from tests.helpers.tiny_bundles import train as train_bundle
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")

WITHOUT_POOL = {"identity", "restoration"}


def train(folder: Path, data: Path, **overrides: Any) -> None:
    """Train a tiny one."""
    train_bundle(folder, data, bundle="sagan", **overrides)


def history(folder: Path) -> list[dict[str, str]]:
    return table(folder / "output" / "history.csv")


@pytest.fixture
def trained_sagan(examples) -> Path:
    """Return the folder of a short training."""
    return examples("sagan").folder


# ---- the pool -------------------------------------------------------------------------------------------------------


def shuffle_labels(listed: Sections) -> None:
    labels = [entry["label"] for entry in listed["unlabeled"]]
    shuffled = random.Random(0).sample(labels, len(labels))
    assert shuffled != labels and set(labels) == {0, 1}
    for entry, label in zip(listed["unlabeled"], shuffled, strict=True):
        entry["label"] = label


@pytest.mark.parametrize("change", [shuffle_labels, remove_labels])
def test_the_pool_s_labels_change_nothing(trained_sagan, small_radiographs, tmp_path, change):
    train(tmp_path, relist(tmp_path / "data", small_radiographs, change))
    for file in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / file), load(trained_sagan / "models" / file))
    assert (tmp_path / "output" / "history.csv").read_bytes() == (trained_sagan / "output" / "history.csv").read_bytes()


def test_the_pool_s_images_do(trained_sagan, small_radiographs, tmp_path):
    train(tmp_path, relist(tmp_path / "data", small_radiographs, lambda listed: listed["unlabeled"].pop()))
    a, b = (load(folder / "models" / "model.pt") for folder in (tmp_path, trained_sagan))
    assert a["data"]["unlabeled training images"] == 11
    assert not torch.equal(a["model"]["generator.head.weight"], b["model"]["generator.head.weight"])


def test_without_a_pool_it_trains_on_normals_alone_and_says_so_once(small_radiographs, tmp_path, capfd):
    train(tmp_path / "none", relist(tmp_path / "data", small_radiographs, remove_pool))
    assert "".join(capfd.readouterr()).count("no pool of unlabeled images") == 1
    train(tmp_path / "unused", small_radiographs, use_pool=False)
    none, unused = (load(tmp_path / name / "models" / "checkpoint.pt") for name in ("none", "unused"))
    for part in ("model", "optimizers", "others"):
        assert_same(none[part], unused[part])
    assert none["optimizers"]["critic"]["state"] == {}  # it never made a step
    assert {int(entry["step"]) for entry in none["optimizers"]["generator"]["state"].values()} == {3 * 2}
    assert {*history(tmp_path / "none")[0]} & {*RECIPES["sagan"].curves} == WITHOUT_POOL
    assert "unlabeled training images" not in load(tmp_path / "none" / "models" / "model.pt")["data"]


@pytest.mark.parametrize(
    ("options", "normal", "abnormal"),
    [
        ({"pool_size": 6, "anomaly_ratio": 0.0}, 6, 0),
        ({"pool_size": 8, "anomaly_ratio": 0.25}, 6, 2),
        ({"anomaly_ratio": 1.0}, 0, 6),
        ({"anomaly_ratio": 0.25}, 6, 2),  # as many as there are
    ],
)
def test_a_ratio_draws_the_pool(small_radiographs, options, normal, abnormal):
    pool = parse("sagan", dataset_dir=str(small_radiographs), **options).get_parsed_content("pool#datalist")
    labels = {
        entry["image"]: entry["label"]
        for entry in json.loads((small_radiographs / "dataset.json").read_text())["unlabeled"]
    }
    drawn = [labels[Path(item["image"]).relative_to(small_radiographs).as_posix()] for item in pool]
    assert (drawn.count(0), drawn.count(1)) == (normal, abnormal)
    assert {item["label"] for item in pool} == {-1}


def test_the_pool_is_compared_with_the_normals_unless_it_is_switched_off(trained_sagan, small_radiographs, tmp_path):
    """Of a pool this small it says that it is too small."""
    written = json.loads((trained_sagan / "output" / "pool_check.json").read_text())
    assert written["n_pool"] == 12 and "it takes 10" in written["sentences"][0]
    assert load(trained_sagan / "models" / "model.pt")["data"]["pool check"] == written["sentences"][0]
    for options in ({"pool_check": False}, {"use_pool": False}):
        assert parse("sagan", dataset_dir=str(small_radiographs), **options).get_parsed_content("pool#check") is None


def test_the_size_is_that_of_the_images_which_are_trained_on(small_radiographs, tmp_path):
    train(tmp_path, small_radiographs, pool_size=5, max_epochs=1)
    model = load(tmp_path / "models" / "model.pt")
    assert model["data"]["unlabeled training images"] == 5
    assert model["spec"]["data"]["pool_size"] == 5


# ---- the choice of a checkpoint ------------------------------------------------------------------------------------


def choose(folder: Path, data: Path, **overrides: Any) -> tuple[list[float], dict[str, Any]]:
    """Return the AUC of each epoch against the pool, and what is said of the data."""
    train(folder, data, overlays=["select_by_pool"], val_interval=1, **overrides)
    return [float(row["val_pool_auroc"]) for row in history(folder)], load(folder / "models" / "model.pt")["data"]


def test_a_checkpoint_is_chosen_by_the_pool_of_the_training(small_radiographs, tmp_path):
    plain, told = choose(tmp_path / "plain", small_radiographs)
    assert told["unlabeled images of the pool"] == told["unlabeled training images"] == 12
    assert told["validation images"] == 3  # its three abnormal ones are not looked at
    best = plain.index(max(plain)) + 1
    assert f"epoch {best}, the best of 3" in told["checkpoint rule"] and "not corrected" in told["checkpoint rule"]
    # the same pool, since half of it is abnormal, and the number is corrected for the other half
    corrected, told = choose(tmp_path / "corrected", small_radiographs, anomaly_ratio=0.5)
    assert corrected == pytest.approx([(value - 0.25) / 0.5 for value in plain])
    assert f"epoch {best}, the best of 3" in told["checkpoint rule"] and "share of 0.5" in told["checkpoint rule"]


@pytest.mark.parametrize("use_pool", [True, False])
def test_another_pool_is_not_corrected_by_the_ratio_of_the_training_s(small_radiographs, tmp_path, use_pool):
    other = {"pool_dir": str(small_radiographs / "test"), "anomaly_ratio": 0.0, "pool_size": 4, "use_pool": use_pool}
    _, told = choose(tmp_path, small_radiographs, max_epochs=1, **other)
    assert told["unlabeled images of the pool"] == 12
    assert told.get("unlabeled training images") == (4 if use_pool else None)
    assert "not corrected" in told["checkpoint rule"]
