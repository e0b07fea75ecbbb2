# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The OCAD bundle and its recipes as a user runs them, through monai.bundle."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, run
from monai.data import load_net_with_metadata
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn
from torchvision.models import resnet18

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.engines.objectives.ocad import OCADObjective
from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import SHORT, TINY, config, outputs, words
from tests.helpers.tiny_bundles import train as train_bundle
from tests.helpers.trained_models import assert_same, load, load_trained, spec_args, spread

pytestmark = pytest.mark.usefixtures("at_root")

LOSSES = ("critic_mixture", "critic_plain", "reconstruction", "gaussian", "interpolation")
PYTHON = re.compile(r"Error\b|Traceback|NoneType|object at 0x|<class|\.py\b|tensor\(")
"""What a sentence for a user does not hold."""


@dataclass(frozen=True)
class Recipe:
    """Overlays over ``train.json`` and what makes them tiny."""

    overlays: tuple[str, ...] = ()
    tiny: dict[str, Any] = field(default_factory=lambda: TINY["ocad"])


RECIPES = {
    "train": Recipe(),
    "reference": Recipe(
        ("reference",),
        {
            **{key: value for key, value in TINY["ocad"].items() if key not in ("latent", "critic::channels")},
            "latent_channels": 4,
            "critic::hidden": 8,
        },
    ),
    "paper": Recipe(
        ("paper",),
        {
            **SHORT,
            "latent_channels": 8,
            "decoder::channels": [8, 4],
            "critic::channels": [4, 4, 4],
            "save_interval": 3,  # the encoder is large
        },
    ),
}


def train(name: str, folder: Path, data: Path, **overrides: Any) -> None:
    """Train a tiny one."""
    recipe = RECIPES[name]
    train_bundle(folder, data, bundle="ocad", overlays=recipe.overlays, tiny=recipe.tiny, **overrides)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> Path:
    """Return a file of weights of torchvision's ResNet-18, which nobody trained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pt"
    torch.save(resnet18(weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def trained_recipes(trained_ocad, small_skin, resnet, tmp_path_factory) -> dict[str, Path]:
    """Return the folder of a short training of each recipe."""
    folders = {"train": trained_ocad}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name in RECIPES.keys() - folders.keys():
            folders[name] = tmp_path_factory.mktemp(name)
            weights = {"weights": str(resnet)} if name == "paper" else {}
            train(name, folders[name], small_skin, **weights)
    return folders


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    return list(csv.DictReader(path.open()))


def images(folder: Path, data: Path, section: str, label: int) -> torch.Tensor:
    """Return the images of a section with a label, as the detector sees them."""
    preprocessing = Preprocessing(**spec_args(folder)["preprocessing"])
    items = [item for item in load_datalist(str(data), section) if item["label"] == label]
    return torch.stack([preprocessing(item)["image"] for item in items])


def evaluate(folder: Path, data: Path, output: Path, **overrides: Any) -> list[dict[str, str]]:
    """Evaluate a trained detector; the rows of ``scores.csv``."""
    model = str(folder / "models" / "model.pt")
    arguments = {"checkpoint": model, "dataset_dir": str(data), "output_dir": str(output), "device": "cpu"}
    run(config_file=config("evaluate", "ocad"), **{**arguments, **overrides})
    return table(output / "scores.csv")


def check_terms(folder: Path, output: Path) -> None:
    """The score of each image is the weighted sum of its terms."""
    share, tolerance = spec_args(folder)["network"]["gaussian_share"], 1e-5 / spread(load_trained(folder))
    rows = table(output / "terms.csv")
    assert len(rows) == len(table(output / "scores.csv")) > 0
    for row, scored in zip(rows, table(output / "scores.csv"), strict=True):
        assert [row[key] for key in ("image", "label", "score")] == [scored[key] for key in ("image", "label", "score")]
        total = (1 - share) * float(row["reconstruction"]) + share * float(row["gaussian"])
        assert float(row["score"]) == pytest.approx(total, rel=1e-4, abs=tolerance)


# ---- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_training_leaves_a_model_a_history_and_curves(trained_recipes, name):
    folder = trained_recipes[name]
    model = load(folder / "models" / "model.pt")
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert (model["spec"]["detector"], model["spec"]["network"]["image_size"]) == ("OCAD", 32)
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["map_range"][0] < model["map_range"][1]
    assert not [key for key in model["model"] if "critic" in key]
    assert_same(load(folder / "models" / "checkpoint.pt")["model"], model["model"])
    rows = table(folder / "output" / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["val_kl"] == rows[0]["val_auroc"] == rows[2]["val_kl"] == ""
    assert float(rows[1]["val_kl"]) > 0 and 0 <= float(rows[1]["val_auroc"]) <= 1
    assert all(float(row[loss]) > 0 for row in rows for loss in LOSSES)
    curves = table(folder / "output" / "losses.csv")
    assert {*curves[0]} >= {"epoch", "loss", *LOSSES} and len(curves) == 3
    assert list((folder / "output" / "tensorboard").glob("events*"))
    assert not list(folder.rglob(".*tmp*"))


def test_the_gaussian_term_follows_its_schedule(trained_ocad):
    rows = table(trained_ocad / "output" / "history.csv")
    assert [float(row["gaussian_weight"]) for row in rows] == [0.25, 0.5, 0.5]
    first, second, third = (float(row["latent_std"]) for row in rows)
    assert first == second != third  # refreshed in the first epoch and the third


@pytest.mark.parametrize("name", RECIPES)
def test_the_score_is_fitted_to_the_last_weights(trained_recipes, small_skin, name):
    folder = trained_recipes[name]
    detector = load_trained(folder)
    with torch.inference_mode():
        latents = detector.encode(images(folder, small_skin, "training", 0))
        terms = detector.score_terms(images(folder, small_skin, "validation", 0)).double()
    if latents.dim() == 4:
        latents = latents.movedim(1, 3).flatten(0, 2)
    torch.testing.assert_close(detector.descriptor.center, latents.mean(dim=0), rtol=1e-4, atol=1e-6)
    assert terms.shape == (3, 2)
    assert terms.mean(dim=0).tolist() == pytest.approx([0.0, 0.0], abs=1e-3)
    assert terms.std(dim=0, correction=0).tolist() == pytest.approx([1.0, 1.0], rel=1e-3)


def test_another_seed_gives_others(trained_ocad, small_skin, tmp_path):
    train("train", tmp_path, small_skin, seed=1, max_epochs=1)
    a, b = (load(folder / "models" / "model.pt")["model"] for folder in (tmp_path, trained_ocad))
    name = next(name for name in a if name.startswith("encoder.") and name.endswith(".weight"))
    assert not torch.equal(a[name], b[name])


@pytest.mark.parametrize("name", RECIPES)
def test_an_interrupted_run_resumes_bit_identical(trained_recipes, small_skin, tmp_path, monkeypatch, resnet, name):
    save = TrainingCheckpoint._save

    def save_and_stop(self, engine):
        save(self, engine)
        raise RuntimeError("interrupted")

    weights = {"weights": str(resnet)} if name == "paper" else {}
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(TrainingCheckpoint, "_save", save_and_stop)
        train(name, tmp_path, small_skin, save_interval=1, **weights)
    assert not (tmp_path / "models" / "model.pt").exists()
    # the second epoch takes the Gaussian of the first, the third a new one
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 1
    elsewhere = {"weights": str(tmp_path / "none.pt")} if name == "paper" else {}
    train(name, tmp_path, small_skin, resume=True, **elsewhere)
    for file in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / file), load(trained_recipes[name] / "models" / file))
    for file in ("history.csv", "losses.csv", "loss_curves.svg"):
        whole, resumed = (folder / "output" / file for folder in (trained_recipes[name], tmp_path))
        assert resumed.read_text() == whole.read_text()


def test_the_published_encoder_stays_as_it_was(trained_recipes, resnet):
    content = load(trained_recipes["paper"] / "models" / "checkpoint.pt")
    layers = {name: value for name, value in load(resnet).items() if not name.startswith("fc.")}
    assert_same({name: content["model"][f"encoder.body.{name}"] for name in layers}, layers)
    (group,) = content["optimizers"]["generator"]["param_groups"]
    detector = load_trained(trained_recipes["paper"])
    trained = [*detector.bottleneck.parameters(), *detector.decoder.parameters()]
    assert len(group["params"]) == len(trained)
    assert group["lr"] == 0.0 < group["initial_lr"]  # the power law is at its end
    assert "resnet18" not in json.dumps(content["spec"]["training"])  # nor where its weights were


# ---- evaluation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_the_terms_sum_to_the_score(trained_recipes, small_skin, tmp_path, name):
    evaluate(trained_recipes[name], small_skin, tmp_path)
    check_terms(trained_recipes[name], tmp_path)
    rows, numbers = table(tmp_path / "terms.csv"), json.loads((tmp_path / "terms.json").read_text())
    labels = [int(row["label"]) for row in rows]
    assert (numbers["n_normal"], numbers["n_abnormal"]) == (6, 6)
    assert numbers["numbers"].keys() == {"score", "reconstruction", "gaussian"}
    for term, found in numbers["numbers"].items():
        auroc = roc_auc_score(labels, [float(row[term]) for row in rows])
        assert found["auroc"]["value"] == pytest.approx(auroc)


def test_the_terms_of_held_out_normals_are_standardized(trained_ocad, small_skin, tmp_path):
    evaluate(trained_ocad, small_skin, tmp_path, section="validation", guard=False)
    rows = [row for row in table(tmp_path / "terms.csv") if row["label"] == "0"]
    for term in ("reconstruction", "gaussian"):
        values = [float(row[term]) for row in rows]
        assert (fmean(values), pstdev(values)) == pytest.approx((0.0, 1.0), abs=1e-2)


def test_a_calibration_decides(trained_ocad, small_skin, tmp_path):
    model = tmp_path / "model.pt"
    shutil.copy(trained_ocad / "models" / "model.pt", model)
    arguments = {"checkpoint": str(model), "dataset_dir": str(small_skin), "device": "cpu"}
    run(run_id="calibrate", config_file=config("calibrate", "ocad"), **arguments)
    calibration = Calibration.load(tmp_path / "calibration.json")
    known = [item for item in load_datalist(str(small_skin), "validation") if item["label"] == 0]
    assert (calibration.n_images, calibration.n_patients) == (len(known), len({item["group"] for item in known}))
    more = {"output_dir": str(tmp_path / "out"), "false_alarm_rate": calibration.least_rate, "guard": False}
    run(config_file=config("inference", "ocad"), **arguments, **more)
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert len(records) == 12
    for record in records:
        assert record["p_value"] == calibration.p_value(record["score"])
        assert record["decision"] == calibration.decide(record["score"], calibration.least_rate)


@pytest.mark.parametrize("name", ["reference", "paper"])
def test_other_recipes_export_too(trained_recipes, small_skin, tmp_path, name):
    model = str(trained_recipes[name] / "models" / "model.pt")
    ckpt_export(
        "network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=model,
        meta_file=config("metadata", "ocad"),
        config_file=config("inference", "ocad"),
        key_in_ckpt="model",
        checkpoint=model,
    )
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    detector = load_trained(trained_recipes[name])
    image = images(trained_recipes[name], small_skin, "test", 1)
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(image), detector(image), atol=1e-5 / spread(detector), rtol=1e-5)


# ---- ablations -----------------------------------------------------------------------------------------------------


def train_and_evaluate(name: str, folder: Path, data: Path, **overrides: Any) -> list[dict[str, str]]:
    """Train for an epoch and evaluate; the history."""
    train(name, folder, data, max_epochs=1, **overrides)
    evaluate(folder, data, folder / "evaluation")
    check_terms(folder, folder / "evaluation")
    return table(folder / "output" / "history.csv")


def test_without_the_interpolation_no_batch_is_doubled(small_skin, tmp_path, monkeypatch):
    seen, terms = [], OCADObjective.generator_terms

    def count(self, batch):
        seen.append(len(batch["image"]))
        return terms(self, batch)

    monkeypatch.setattr(OCADObjective, "generator_terms", count)
    (row,) = train_and_evaluate("train", tmp_path, small_skin, interpolation_weight=0)
    assert seen == [4, 4]
    assert row.keys() >= {"reconstruction", "gaussian"}
    assert not {*row} & {"critic_mixture", "critic_plain", "interpolation"}


def test_without_the_interpolation_one_image_is_a_batch(small_skin, tmp_path):
    train("train", tmp_path, small_skin, max_epochs=1, interpolation_weight=0, batch_size=1)
    assert (tmp_path / "models" / "model.pt").is_file()


def test_without_attention(trained_ocad, small_skin, tmp_path):
    train_and_evaluate("train", tmp_path, small_skin, **{"encoder::attention_stage": "$None"})
    assert spec_args(tmp_path)["network"]["encoder"]["attention_stage"] is None
    with_attention, without = (load_trained(folder) for folder in (trained_ocad, tmp_path))
    blocks = [sum(isinstance(m, SelfAttentionBlock) for m in d.modules()) for d in (with_attention, without)]
    assert blocks == [1, 0]


def test_without_the_gaussian(small_skin, tmp_path):
    (row,) = train_and_evaluate("train", tmp_path, small_skin, gaussian_weight=0, gaussian_share=0)
    assert float(row["gaussian_weight"]) == 0 and not float(row.get("gaussian") or 0)
    detector = load_trained(tmp_path)
    image = images(tmp_path, small_skin, "test", 1)
    with torch.inference_mode():
        error = (detector.judge(image)[0] - detector.score_mean[0]) / detector.score_std[0]
        torch.testing.assert_close(detector(image), error)


def test_a_latent_map_gives_a_coarse_map_of_the_distance(small_skin, tmp_path):
    train_and_evaluate("train", tmp_path, small_skin, latent="map", latent_channels=3)
    image = images(tmp_path, small_skin, "test", 1)
    with torch.inference_mode():
        distance = load_trained(tmp_path).judge(image)[1]
    coarse = distance[:, :, ::4, ::4]  # two stages
    assert torch.equal(distance, coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert (coarse.flatten(1).std(dim=1) > 0).all()


@pytest.mark.parametrize("overrides", [{"channels": 1}, {"spread": "scalar"}, {"critic_input": "latent"}], ids=str)
def test_other_settings(small_skin, tmp_path, overrides):
    if "critic_input" in overrides:
        size = TINY["ocad"]["latent_channels"]
        target = "monai_anomaly.networks.nets.ocad.critics.LatentCritic"
        critic = {"_target_": target, "latent_size": size, "hidden": 8}
        tiny = {key: value for key, value in TINY["ocad"].items() if key != "critic::channels"}
        train_bundle(tmp_path, small_skin, bundle="ocad", tiny=tiny, max_epochs=1, critic=critic, **overrides)
        evaluate(tmp_path, small_skin, tmp_path / "evaluation")
    else:
        train_and_evaluate("train", tmp_path, small_skin, **overrides)
    if "channels" in overrides:
        assert images(tmp_path, small_skin, "test", 1).shape[1:] == (1, 32, 32)
    if "spread" in overrides:
        assert len(load_trained(tmp_path).descriptor.variance.unique()) == 1


# ---- OCAD's layout of the data -------------------------------------------------------------------------------------

TREE = {"Train/Benign": 20, "Train/Cancerous": 5, "Test/Benign": 4, "Test/Cancerous": 4}


def write_tree(root: Path, counts: dict[str, int]) -> Path:
    """Pictures of noise in folders, every third gray, of two sizes."""
    generator = np.random.default_rng(0)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            shape = (44 + 8 * (i % 2), 48, *((3,) if i % 3 else ()))
            Image.fromarray(generator.integers(0, 255, shape, np.uint8)).save(root / folder / f"{i:02}.png")
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """OCAD's folders."""
    return write_tree(tmp_path_factory.mktemp("tree") / "data", TREE)


@pytest.fixture(scope="module")
def trained_tree(tree, tmp_path_factory) -> Path:
    """Return the folder of a short training on OCAD's folders."""
    folder = tmp_path_factory.mktemp("trained_tree")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        train("train", folder, tree)
    return folder


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Return the paths that Python opens, from now on."""
    paths: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:  # cannot be taken away again
        if watching and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(watch)
    yield paths
    watching.clear()


def test_the_layout_is_taken_as_it_is(trained_tree, tree, tmp_path):
    data = load(trained_tree / "models" / "model.pt")["data"]
    assert (data["training images"], data["validation images"]) == (18, 2)  # a tenth is held out
    rows = evaluate(trained_tree, tree, tmp_path, source_names=True)
    names = [f"Test/{kind}/{i:02}.png" for kind in ("Benign", "Cancerous") for i in range(4)]
    assert [(row["image"], row["label"]) for row in rows] == [(name, str(int("Cancerous" in name))) for name in names]
    check_terms(trained_tree, tmp_path)


@pytest.mark.parametrize("change", ["untouched", "deleted", "garbage"])
def test_a_training_never_sees_cancerous_images(trained_tree, tree, tmp_path, opened, change):
    data = tmp_path / "data"
    shutil.copytree(tree, data)
    if change == "deleted":
        shutil.rmtree(data / "Train" / "Cancerous")
    if change == "garbage":
        for path in (data / "Train" / "Cancerous").iterdir():
            path.write_bytes(b"no image at all")
    opened.clear()
    train("train", tmp_path, data)
    assert any("Train/Benign" in path for path in opened)
    assert not [path for path in opened if "Train/Cancerous" in path]
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(trained_tree / "models" / name))


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fails(sentence) -> Callable[..., str]:
    """Give a function that runs a configuration on the command line, to fail, and return its one sentence."""

    def fail(*arguments: str, names: tuple[str, ...] = ("train",)) -> str:
        printed = sentence("--config_file", str([config(name, "ocad") for name in names]), *arguments)
        assert not PYTHON.search(printed), printed
        return printed

    return fail


def tiny_words(data: Path, name: str = "train", **overrides: Any) -> list[str]:
    """Return a tiny training on the command line."""
    return words({**RECIPES[name].tiny, "dataset_dir": data, **overrides})


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ({"Train/Moles": 2, "Test/Benign": 1}, "It holds Test/Benign (1 file), Train/Moles (2 files)"),
        ({"Learn/Benign": 2}, "It holds Learn/Benign (2 files)"),
        ({"Train/Benign": 0, "Train/Cancerous": 2}, "Train/Benign holds no images"),
        ({"Train/Benign": 1}, "none can be held out"),
        ({"Train/Benign": 6}, "put at least 2 normal images into the validation section"),
    ],
    ids=["other class", "other split", "no benign images", "one benign image", "few benign images"],
)
def test_folders_that_cannot_be(fails, tmp_path, folders, expected):
    data = write_tree(tmp_path / "data", folders)
    assert expected in fails(*tiny_words(data), *outputs(tmp_path), "--source_names", "True")
    assert not list(tmp_path.rglob("model.pt"))


def test_folders_are_not_named_unasked(fails, tmp_path):
    data = write_tree(tmp_path / "data", {"Train/Moles": 2})
    assert "It holds Train/another name (2 files)" in fails(*tiny_words(data), *outputs(tmp_path))


def test_a_validation_without_normals(fails, tree, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "tree").symlink_to(tree)

    def listing(folder: str, label: int) -> list[dict[str, Any]]:
        return [{"image": f"tree/{folder}/{path.name}", "label": label} for path in (tree / folder).iterdir()]

    listed = {"training": listing("Train/Benign", 0), "validation": listing("Train/Cancerous", 1)}
    (data / "dataset.json").write_text(json.dumps(listed))
    found = fails(*tiny_words(data), *outputs(tmp_path))
    assert "held-out normals, of which there are 0" in found and "validation section" in found
    assert not list(tmp_path.rglob("model.pt"))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"latent_channels": 100000}, "a latent vector of 100000 is no bottleneck"),
        ({"latent": "map"}, "a latent map of 8 is no bottleneck for a map of 4 channels"),
        ({"image_size": 34}, "image_size must be a multiple of 4"),
        ({"encoder::attention_stage": 3}, "attention_stage must be None or from 1 to 2"),
        ({"decoder::channels": [4]}, "give the decoder as many channels as the encoder has"),
        ({"image_range": [1.0, 1.0]}, "value_range must be two rising numbers"),
        ({"latent_channel": 8}, "the nearest known is 'latent_channels'"),
    ],
)
def test_a_setting_that_cannot_be(fails, small_skin, tmp_path, wrong, expected):
    assert expected in fails(*tiny_words(small_skin, **wrong), *outputs(tmp_path))
    assert not list(tmp_path.iterdir()), "something was left behind"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"critic_input": "picture"}, "critic_input must be one of 'image', 'latent'"),
        ({"gaussian_weight": 2.0}, "gaussian_weight must lie in [0, 1]"),
        ({"refresh_interval": 0}, "interval must be at least 1"),
    ],
)
def test_a_setting_of_the_training_that_cannot_be(fails, small_skin, tmp_path, wrong, expected):
    assert expected in fails(*tiny_words(small_skin, **wrong), *outputs(tmp_path))
    assert not list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize("name", ["train", "reference"])
def test_a_batch_of_one(fails, small_skin, tmp_path, name):
    arguments = (*tiny_words(small_skin, name, batch_size=1), *outputs(tmp_path))
    assert "set batch_size to at least 2" in fails(*arguments, names=("train", *RECIPES[name].overlays))
    assert not list(tmp_path.rglob("*.pt"))


def test_a_test_set_of_one_class(fails, trained_ocad, tmp_path):
    data = write_tree(tmp_path / "data", {"Test/Benign": 2})
    model = ["--checkpoint", str(trained_ocad / "models" / "model.pt"), "--device", "cpu"]
    arguments = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out")]
    assert "the test section has no abnormal images" in fails(*model, *arguments, names=("evaluate",))
    assert not (tmp_path / "out").exists()


def test_weights_that_are_nowhere(fails, small_skin, tmp_path):
    arguments = [*tiny_words(small_skin, "paper", weights=tmp_path / "none.pt"), *outputs(tmp_path)]
    found = fails(*arguments, names=("train", "paper"))
    assert "no such file" in found and "give 'imagenet' or the state dict of torchvision's resnet18" in found
    assert not list(tmp_path.iterdir()), "something was left behind"


def test_imagenet_weights_that_cannot_be_had_name_the_alternative(fails, small_skin, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = fails(*tiny_words(small_skin, "paper"), *outputs(tmp_path), names=("train", "paper"))
    assert "give weights the path of a file of torchvision's resnet18 state dict" in found
    assert not list(tmp_path.rglob("*.pt"))


def test_another_network_does_not_resume(fails, trained_ocad, small_skin, tmp_path):
    shutil.copytree(trained_ocad / "models", tmp_path / "models")
    before = (tmp_path / "models" / "checkpoint.pt").read_bytes()
    arguments = [*tiny_words(small_skin, spread="scalar"), *outputs(tmp_path), "--resume", "True"]
    told = fails(*arguments)
    assert "network.spread is '" in told and "' there and 'scalar' here" in told
    assert (tmp_path / "models" / "checkpoint.pt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


# ---- overlays ------------------------------------------------------------------------------------------------------


def parse(*overlays: str) -> ConfigParser:
    """Return the training's configuration with overlays, at its full sizes."""
    parser = ConfigParser()
    parser.read_config([config(name, "ocad") for name in ("train", *overlays)])
    return parser


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_reference_has_the_sizes_of_its_source():
    parser = parse("reference")
    detector = parser.get_parsed_content("network_def")
    assert (count(detector.encoder), count(detector.decoder)) == (508_224, 412_867)
    assert count(detector.bottleneck) == 0  # the latent is the map
    assert count(parser.get_parsed_content("critic")) == 1_982_593
    seen = []
    (block,) = (module for module in detector.encoder.modules() if isinstance(module, SelfAttentionBlock))
    block.register_forward_hook(lambda _, inputs, output: seen.extend([inputs[0].shape, output.shape]))
    latent = detector.encoder.to("meta")(torch.empty(1, 3, 176, 176, device="meta"))
    assert seen == [(1, 128, 44, 44)] * 2
    assert latent.shape == (1, 64, 22, 22)


def test_the_published_recipe_has_the_published_networks():
    parser = parse("paper")
    detector = parser.get_parsed_content("network_def")
    assert (detector.image_size, detector.bottleneck.latent_channels) == (256, 128)
    assert count(detector.bottleneck) == 512 * 128 + 128
    trained = sum(parameter.numel() for parameter in detector.parameters() if parameter.requires_grad)
    assert trained == count(detector.bottleneck) + count(detector.decoder) == 10_969_027


@pytest.mark.parametrize("overlay", ["paper", "reference", "select_by_pool"])
def test_recipes_have_what_monai_expects_of_a_bundle(small_skin, tmp_path, overlay):
    files = [config(name, "ocad") for name in ("train", overlay)]
    places = {"dataset_dir": str(small_skin), "output_dir": str(tmp_path), "ckpt_dir": str(tmp_path)}
    if overlay == "select_by_pool":
        places["pool_dir"] = str(small_skin / "test")
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, **places)
    workflow.initialize()
    assert workflow.check_properties() == []
