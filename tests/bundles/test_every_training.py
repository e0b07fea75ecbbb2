# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the trainings of every bundle do alike, as a user runs them, through monai.bundle."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.recipes import RECIPES, TINY
from tests.helpers.tiny_bundles import config, outputs, table, words
from tests.helpers.trained_models import assert_same, load, spec_args

pytestmark = pytest.mark.usefixtures("at_root")

DETECTORS = {"sepiad": "SEPIAD", "simsid": "SimSID", "ocad": "OCAD", "sagan": "SAGAN", "embedding": "Embedding"}
WEIGHTS = {
    "sepiad": "encoder.head.1.weight",
    "simsid": "generator.bottleneck.memory.memory",
    "ocad": "encoder.layers.1.weight",
    "sagan": "generator.head.weight",
    "embedding": "score_mean",  # the seed draws the parts of the cross-fitting
}
"""One that training changes."""
SIGNED = ("sepiad", "sagan")
"""Those with losses of Wasserstein's distance, which may be negative."""
LEARNED_ONLY = ("critic", "teacher")
"""Parts of a training that no detector needs."""


def test_a_training_leaves_a_model_and_a_history(recipe):
    model = recipe.load()
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert model["spec"]["detector"] == DETECTORS[recipe.bundle]
    assert model["spec"]["network"]["image_size"] == 32
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["map_range"][0] < model["map_range"][1]
    assert not [key for key in model["model"] if any(part in key for part in LEARNED_ONLY)]
    assert_same(recipe.load("checkpoint")["model"], model["model"])
    rows = table(recipe.folder / "output" / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["val_auroc"] == rows[2]["val_auroc"] == ""
    # After six iterations the report's discriminator says the same of every image, but for the last bit at most.
    constant = recipe.name == "simsid-report" and rows[1]["val_auroc"] == ""
    assert constant or 0 <= float(rows[1]["val_auroc"]) <= 1
    values = [float(row[curve]) for row in rows for curve in RECIPES[recipe.name].curves]
    assert all(value != 0 if recipe.bundle in SIGNED else value > 0 for value in values)
    assert list((recipe.folder / "output" / "tensorboard").glob("events*"))
    assert not list(recipe.folder.rglob(".*tmp*"))


def test_the_curves_are_those_of_the_history(recipe):
    output, names = recipe.folder / "output", RECIPES[recipe.name].curves
    if not names:  # what is solved has no losses
        assert not [name for name in ("losses.csv", "loss_curves.svg") if (output / name).exists()]
        return
    rows, curves = table(output / "history.csv"), table(output / "losses.csv")
    assert list(curves[0]) == ["epoch", "loss", *names]
    assert curves == [{key: row[key] for key in curves[0]} for row in rows]
    if recipe.bundle != "sepiad":  # which has no metric of gray values
        assert rows[0]["val_kl"] == rows[2]["val_kl"] == "" and float(rows[1]["val_kl"]) > 0
    drawing = (output / "loss_curves.svg").read_text()
    assert drawing.startswith("<svg ") and all(f">{name}</text>" in drawing for name in names)


def test_the_same_seed_gives_the_same_bits_wherever_images_are_kept_and_another_seed_others(example, tmp_path):
    example.train(tmp_path / "same", cache="disk", cache_dir=str(tmp_path / "cache"))
    for name in ("checkpoint", "model"):
        assert_same(load(tmp_path / "same" / "models" / f"{name}.pt"), example.load(name))
    example.train(tmp_path / "other", seed=1, max_epochs=1, input_guard=False, cache="none")
    assert TrainedDetector.read(tmp_path / "other" / "models" / "model.pt").guard is None
    other, name = load(tmp_path / "other" / "models" / "model.pt")["model"], WEIGHTS[example.bundle]
    assert not torch.equal(other[name], example.load()["model"][name])


def test_nor_is_it_another_training_where_images_are_decoded_anew(examples, tmp_path):
    example = examples("sagan")  # with a pool, and loaded by another process
    example.train(tmp_path, cache="none", num_workers=1)
    assert_same(load(tmp_path / "models" / "model.pt"), example.load())


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("simsid", 2),
        ("simsid", 3),  # between the last checkpoint and model.pt
        ("simsid-report", 3),
        ("simsid-squid", 2),
        ("simsid-report", 2),
        ("ocad", 1),  # the second epoch takes the Gaussian of the first, the third a new one
        ("ocad-reference", 1),
        ("ocad-paper", 1),
        ("sagan", 1),
        ("embedding", 0),  # the pass is made again
        ("embedding", 3),
        ("sepiad", 0),  # after the features, in the first epoch
        ("sepiad", 3),
    ],
)
def test_an_interrupted_run_resumes_bit_identical(examples, tmp_path, monkeypatch, name, last):
    save = TrainingCheckpoint._save

    def save_and_stop(self: TrainingCheckpoint, engine: Any) -> None:
        save(self, engine)
        if engine.state.epoch == last:
            raise RuntimeError("interrupted")

    example = examples(name)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(TrainingCheckpoint, "_save", save_and_stop)
        example.train(tmp_path, save_interval=1)
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == last
    for stage in ("teacher", "student"):
        shutil.rmtree(tmp_path / "output" / stage, ignore_errors=True)
    elsewhere = {"weights": str(tmp_path / "none.pt")} if example.more else {}
    example.train(tmp_path, resume=True, **elsewhere)
    for kind in ("checkpoint", "model"):
        assert_same(load(tmp_path / "models" / f"{kind}.pt"), example.load(kind))
    assert (tmp_path / "models" / "model.pt").read_bytes() == example.model.read_bytes()
    curves = ("losses.csv", "loss_curves.svg") if RECIPES[name].curves else ()
    for file in ("history.csv", *curves):
        whole, resumed = (folder / "output" / file for folder in (example.folder, tmp_path))
        assert resumed.read_text() == whole.read_text()
    assert not [stage for stage in ("teacher", "student") if (tmp_path / "output" / stage).exists()]


def test_a_budget_of_a_moment_leaves_all_that_a_training_leaves_and_says_how_short_it_was(example, tmp_path):
    solved = example.bundle == "embedding"  # a pass of 3 batches, without losses
    example.train(tmp_path, max_minutes=1e-4, **({} if solved else {"epoch_length": 30}))
    output = tmp_path / "output"
    (row,) = table(output / "history.csv")
    assert row["epoch"] == row["iteration"] == "1" and 0 <= float(row["val_auroc"]) <= 1
    assert solved or ((output / "loss_curves.svg").is_file() and len(table(output / "losses.csv")) == 1)
    pictures = EventAccumulator(str(output / "tensorboard")).Reload().Images("samples")
    assert [picture.step for picture in pictures] == [1]
    trained = TrainedDetector.read(tmp_path / "models" / "model.pt")
    before = {
        "sepiad": "1 of 30 iterations of the feature pretraining, ",
        "embedding": "1 of 2 iterations of the segmenter, ",
    }.get(example.bundle, "")
    assert trained.unfinished == f"{before}1 of {9 if solved else 90} iterations of the training"


def test_a_training_that_was_cut_short_can_be_finished(examples, tmp_path):
    example = examples("sepiad")
    example.train(tmp_path, max_minutes=1e-4)
    example.train(tmp_path, resume=True)
    assert [row["epoch"] for row in table(tmp_path / "output" / "history.csv")] == ["1", "2", "3"]
    trained = TrainedDetector.read(tmp_path / "models" / "model.pt")
    assert trained.unfinished == "1 of 2 iterations of the feature pretraining"  # which is not made up for


def test_a_model_knows_its_normals(example):
    preprocessing = Preprocessing(**spec_args(example.folder)["preprocessing"])
    items = [preprocessing(item) for item in load_datalist(str(example.data), "training")]
    normals = [fingerprint(pixel_hash(item["image"])) for item in items]
    assert example.load()["fingerprints"].tolist()[: len(items)] == normals  # a pool's are behind them
    guard = TrainedDetector.read(example.model).guard
    assert guard.n_images == 12 and guard.n_groups == len({item["group"] for item in items})
    assert {guard.check(item["image"], item) for item in items} == {""}
    assert "blank" in guard.check(torch.zeros_like(items[0]["image"]), items[0])
    assert "rows to columns 0.25" in guard.check(items[0]["image"], {"rows": 100, "columns": 400})


@pytest.mark.parametrize(
    ("bundle", "wrong", "expected"),
    [
        ("sepiad", {"se": False}, ["network.se is True there and False here"]),
        ("simsid", {"generator::slots": 12}, ["network.generator.slots is 10 there and 12 here"]),
        ("ocad", {"spread": "scalar"}, ["network.spread is '", "' there and 'scalar' here"]),
        (
            "sagan",
            {"smoothing": 5, "pool_size": 6},
            ["network.smoothing is 3 there and 5 here", "data.pool_size is None there and 6 here"],
        ),
        ("embedding", {"contrast::limit": 5.0}, ["network.contrast.limit is 6.0 there and 5.0 here"]),
    ],
)
def test_another_network_does_not_resume(examples, sentence, tmp_path, bundle, wrong, expected):
    example = examples(bundle)
    shutil.copytree(example.folder / "models", tmp_path / "models")
    before = {path.name: path.read_bytes() for path in (tmp_path / "models").iterdir()}
    overrides = {**TINY[bundle], "dataset_dir": example.data, "resume": True, **wrong}
    told = sentence("--config_file", config("train", bundle), *words(overrides), *outputs(tmp_path))
    assert all(part in told for part in expected)
    assert {path.name: path.read_bytes() for path in (tmp_path / "models").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
