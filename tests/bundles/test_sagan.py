# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The SAGAN bundle, its pool and its recipes as a user runs them, through monai.bundle."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, run
from torch import nn

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.networks.blocks.attention_gate import AttentionGate
from monai_anomaly.networks.blocks.position_condition import PositionCondition
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.tiny_bundles import SHORT, TINY, config, outputs, words
from tests.helpers.tiny_bundles import train as train_bundle
from tests.helpers.trained_models import assert_same, load, load_trained, spec_args

pytestmark = pytest.mark.usefixtures("at_root")

WITHOUT_POOL = {"identity", "restoration"}
LOSSES = {*WITHOUT_POOL, "adversarial", "critic_wasserstein", "critic_penalty"}
PAPER = {  # keeps all that is the paper's but sizes
    **SHORT,
    "generator::channels": 4,
    "generator::residual_blocks": 1,
    "critic::channels": 4,
    "critic::depth": 3,
    "max_epochs": 2,
}
Sections = dict[str, list[dict[str, Any]]]


def train(folder: Path, data: Path, **overrides: Any) -> None:
    """Train a tiny one."""
    train_bundle(folder, data, bundle="sagan", **overrides)


def history(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "output" / "history.csv").open()))


def losses(folder: Path) -> set[str]:
    """Return the losses in the history."""
    return {name for name in history(folder)[0] if name in LOSSES}


def relist(folder: Path, data: Path, change: Callable[[Sections], Any]) -> Path:
    """Return the same files under a list that has changed."""
    folder.mkdir()
    listed = json.loads((data / "dataset.json").read_text())
    change(listed)
    for path in data.iterdir():
        if path.name != "dataset.json":
            (folder / path.name).symlink_to(path)
    (folder / "dataset.json").write_text(json.dumps(listed))
    return folder


def images(folder: Path, data: Path, section: str) -> torch.Tensor:
    """Return the images of a section, as the detector sees them."""
    preprocessing = Preprocessing(**spec_args(folder)["preprocessing"])
    return torch.stack([preprocessing(item)["image"] for item in load_datalist(str(data), section)])


# ---- training ------------------------------------------------------------------------------------------------------


def test_training_leaves_a_model_a_history_and_curves(trained_sagan):
    model = load(trained_sagan / "models" / "model.pt")
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert (model["spec"]["detector"], model["spec"]["network"]["image_size"]) == ("SAGAN", 32)
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["data"]["unlabeled training images"] == 12
    assert model["map_range"][0] < model["map_range"][1]
    assert len(model["fingerprints"]) == 12 + 12  # normals and pool
    assert not [key for key in model["model"] if "critic" in key]
    rows = history(trained_sagan)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["val_kl"] == rows[0]["val_auroc"] == rows[2]["val_kl"] == ""
    assert float(rows[1]["val_kl"]) > 0 and 0 <= float(rows[1]["val_auroc"]) <= 1
    assert losses(trained_sagan) == LOSSES
    assert all(float(row[loss]) != 0 for row in rows for loss in LOSSES)
    assert list((trained_sagan / "output" / "tensorboard").glob("events*"))
    assert not list(trained_sagan.rglob(".*tmp*"))


def test_an_iteration_has_its_critic_steps_and_one_of_the_generator(trained_sagan):
    optimizers = load(trained_sagan / "models" / "checkpoint.pt")["optimizers"]
    steps = {name: {int(entry["step"]) for entry in optimizers[name]["state"].values()} for name in optimizers}
    assert steps == {"critic": {3 * 2 * 2}, "generator": {3 * 2}}


def test_scores_are_standardized_by_the_training_normals(trained_sagan, small_radiographs):
    detector = load_trained(trained_sagan)
    with torch.inference_mode():
        raw = detector.judge(images(trained_sagan, small_radiographs, "training"))[1].double()
    assert raw.shape == (12, 2) and raw.std(dim=0).min() > 0
    assert detector.score_mean.tolist() == pytest.approx(raw.mean(dim=0).tolist(), rel=1e-4)
    assert detector.score_std.tolist() == pytest.approx(raw.std(dim=0, correction=0).tolist(), rel=1e-3)


def test_another_seed_gives_others(trained_sagan, small_radiographs, tmp_path):
    train(tmp_path, small_radiographs, seed=1, max_epochs=1)
    a, b = (load(folder / "models" / "model.pt")["model"] for folder in (tmp_path, trained_sagan))
    assert not torch.equal(a["generator.head.weight"], b["generator.head.weight"])


def test_an_interrupted_run_resumes_bit_identical(trained_sagan, small_radiographs, tmp_path, monkeypatch):
    save = TrainingCheckpoint._save

    def save_and_stop(self, engine):
        save(self, engine)
        raise RuntimeError("interrupted")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(TrainingCheckpoint, "_save", save_and_stop)
        train(tmp_path, small_radiographs)
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 1
    train(tmp_path, small_radiographs, resume=True)
    for file in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / file), load(trained_sagan / "models" / file))
    for file in ("history.csv", "losses.csv", "loss_curves.svg"):
        whole, resumed = (folder / "output" / file for folder in (trained_sagan, tmp_path))
        assert resumed.read_text() == whole.read_text()


def test_a_calibration_decides(trained_sagan, small_radiographs, tmp_path):
    model = tmp_path / "model.pt"
    shutil.copy(trained_sagan / "models" / "model.pt", model)
    arguments = {"checkpoint": str(model), "dataset_dir": str(small_radiographs), "device": "cpu"}
    run(run_id="calibrate", config_file=config("calibrate", "sagan"), **arguments)
    calibration = Calibration.load(tmp_path / "calibration.json")
    known = [item for item in load_datalist(str(small_radiographs), "validation") if item["label"] == 0]
    assert (calibration.n_images, calibration.n_patients) == (len(known), len({item["group"] for item in known}))
    more = {"output_dir": str(tmp_path / "out"), "false_alarm_rate": calibration.least_rate, "guard": False}
    run(config_file=config("inference", "sagan"), **arguments, **more)
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert len(records) == 12  # the test images, none of the pool
    for record in records:
        assert record["p_value"] == calibration.p_value(record["score"])
        assert record["decision"] == calibration.decide(record["score"], calibration.least_rate)


# ---- the pool ------------------------------------------------------------------------------------------------------


def shuffle_labels(listed: Sections) -> None:
    labels = [entry["label"] for entry in listed["unlabeled"]]
    shuffled = random.Random(0).sample(labels, len(labels))
    assert shuffled != labels and set(labels) == {0, 1}
    for entry, label in zip(listed["unlabeled"], shuffled, strict=True):
        entry["label"] = label


def remove_labels(listed: Sections) -> None:
    listed["unlabeled"] = [{key: entry[key] for key in ("image", "group")} for entry in listed["unlabeled"]]


def remove_pool(listed: Sections) -> None:
    del listed["unlabeled"]


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
    assert losses(tmp_path / "none") == WITHOUT_POOL
    assert "unlabeled training images" not in load(tmp_path / "none" / "models" / "model.pt")["data"]


def parse(*overlays: str, **overrides: Any) -> ConfigParser:
    """Return the training's configuration with overlays, at its full sizes."""
    parser = ConfigParser()
    parser.read_config([config(name, "sagan") for name in ("train", *overlays)])
    parser.update(overrides)
    return parser


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
    pool = parse(dataset_dir=str(small_radiographs), **options).get_parsed_content("pool#datalist")
    labels = {
        entry["image"]: entry["label"]
        for entry in json.loads((small_radiographs / "dataset.json").read_text())["unlabeled"]
    }
    drawn = [labels[Path(item["image"]).relative_to(small_radiographs).as_posix()] for item in pool]
    assert (drawn.count(0), drawn.count(1)) == (normal, abnormal)
    assert {item["label"] for item in pool} == {-1}


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


# ---- as published --------------------------------------------------------------------------------------------------


def test_the_published_recipe_trains_the_published_modes(small_radiographs, tmp_path):
    train(tmp_path, small_radiographs, overlays=["paper"], tiny=PAPER)
    detector = load_trained(tmp_path)
    generator = detector.generator
    modes = {"position": "official", "gate_norm": "instance", "norm": "patch", "mask": "official"}
    assert modes.items() <= spec_args(tmp_path)["network"]["generator"].items()
    assert (generator.mask, generator.output, generator.keep_probability) == ("official", "tanh", 0.95)
    assert {m.kind for m in generator.modules() if isinstance(m, PositionCondition)} == {"official"}
    image = images(tmp_path, small_radiographs, "test")
    assert image.min() >= 0 and image.max() <= 1
    with torch.inference_mode():
        scores = detector(image).mean(dim=(1, 2, 3))
        restored = generator(detector.signal(image))
        change = (detector.signal(image) - restored).abs().mean(dim=(1, 2, 3)) / 2
        for gate in (module for module in generator.modules() if isinstance(module, AttentionGate)):
            gate.psi.bias += 5.0  # which would open them, were they not pinned to one half
        pinned = generator(detector.signal(image))
    assert restored.abs().max() <= 1
    torch.testing.assert_close(scores, change)
    torch.testing.assert_close(pinned, restored, rtol=0, atol=1e-4)
    (group,) = load(tmp_path / "models" / "checkpoint.pt")["optimizers"]["generator"]["param_groups"]
    assert group["lr"] == 5e-05 and losses(tmp_path) == LOSSES


def test_the_published_recipe_has_the_published_networks():
    parser = parse("paper")
    with torch.device("meta"):
        generator = parser.get_parsed_content("network_def").generator
        critic = parser.get_parsed_content("critic")

    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    assert (count(generator), count(critic)) == (44_758_979, 44_719_040)
    assert parser.get_parsed_content("max_epochs") * parser.get_parsed_content("epoch_length") == 50_000
    assert parser.get_parsed_content("batch_size") == 32


# ---- overlays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", ["paper", "select_by_pool"])
def test_recipes_have_what_monai_expects_of_a_bundle(small_radiographs, tmp_path, overlay):
    files = [config(name, "sagan") for name in ("train", overlay)]
    places = {"dataset_dir": str(small_radiographs), "output_dir": str(tmp_path), "ckpt_dir": str(tmp_path)}
    smaller = {"generator::channels": 4, "generator::residual_blocks": 1, "critic::channels": 4, "batch_size": 4}
    workflow = ConfigWorkflow(
        config_file=files,
        workflow_type="train",
        logging_file=False,
        **places,
        **(smaller if overlay == "paper" else {}),
    )
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("overlay", ["paper", "select_by_pool"])
def test_overlays_go_together_with_several_processes(overlay):
    imports = set(parse(overlay).get("imports"))
    both = set(parse(overlay, "multi_gpu_train").get("imports"))
    assert both == {*imports, "$import os", "$import torch.distributed"}


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fails(sentence, tmp_path) -> Callable[..., str]:
    """Give a function that trains a tiny one on the command line, to fail before it writes; its one sentence."""

    def fail(data: Path, *overlays: str, **wrong: Any) -> str:
        files = [config(name, "sagan") for name in ("train", *overlays)]
        target = tmp_path / "target"
        arguments = words({**TINY["sagan"], "dataset_dir": data, **wrong})
        printed = sentence("--config_file", str(files), *arguments, *outputs(target))
        assert not target.exists(), f"something was left behind: {sorted(target.rglob('*'))}"
        return printed

    return fail


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"image_size": 40}, "image_size must be a multiple of 8 * grid"),
        ({"generator::grid": 3}, "got image_size 32 and grid 3"),
        ({"generator::unshuffle": 2}, "image_size must be a multiple of 16 * grid"),
        ({"critic::depth": 6}, "depth must lie in [1, 5], since image_size 32 can be halved 5 times"),
        ({"batch_size": 13}, "the pool has 12 images, fewer than a batch of 13"),
        ({"pool_size": 3}, "the pool has 3 images, fewer than a batch of 4"),
        ({"pool_size": 13}, "the pool has 12 images, so 13 cannot be drawn"),
        ({"pool_size": 12, "anomaly_ratio": 0.75}, "size 12 has ratios from 0.5 to 0.5, and the largest size for this"),
        ({"anomaly_ratio": 1.5}, "anomaly_ratio must be a number from 0 to 1"),
        ({"restoration": "cubic"}, "restoration must be one of 'squared', 'relative'"),
        ({"anomaly_ratios": 0.5}, "the nearest known is 'anomaly_ratio'"),
        ({"use_pool": "no"}, "--use_pool must be True or False"),
    ],
)
def test_a_setting_that_cannot_be(fails, small_radiographs, wrong, expected):
    assert expected in fails(small_radiographs, **wrong)


def share_a_patient(listed: Sections) -> None:
    listed["unlabeled"][0]["group"] = listed["test"][0]["group"]


def keep_one_normal(listed: Sections) -> None:
    listed["training"] = listed["training"][:1]


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (share_a_patient, {}, "is in test and in unlabeled"),
        (keep_one_normal, {}, "the number of normal training images is 1, and a pseudo-anomaly takes its patch from"),
        (keep_one_normal, {"use_pool": False}, "the number of normal training images is 1"),
        (remove_labels, {"anomaly_ratio": 0.5}, "12 of 12 images of the pool have no label 0 or 1"),
    ],
)
def test_data_that_cannot_be(fails, small_radiographs, tmp_path, change, options, expected):
    assert expected in fails(relist(tmp_path / "data", small_radiographs, change), **options)


@pytest.mark.parametrize("options", [{}, {"use_pool": False}])
def test_without_a_pool_none_can_choose(fails, small_radiographs, tmp_path, options):
    data = small_radiographs if options else relist(tmp_path / "data", small_radiographs, remove_pool)
    assert "give --pool_dir" in fails(data, "select_by_pool", **options)


def test_another_network_does_not_resume(sentence, trained_sagan, small_radiographs, tmp_path):
    shutil.copytree(trained_sagan / "models", tmp_path / "models")
    before = (tmp_path / "models" / "checkpoint.pt").read_bytes()
    wrong = {**TINY["sagan"], "dataset_dir": small_radiographs, "pool_size": 6, "smoothing": 5, "resume": True}
    told = sentence("--config_file", config("train", "sagan"), *words(wrong), *outputs(tmp_path))
    assert "network.smoothing is 3 there and 5 here" in told
    assert "data.pool_size is None there and 6 here" in told
    assert (tmp_path / "models" / "checkpoint.pt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]
