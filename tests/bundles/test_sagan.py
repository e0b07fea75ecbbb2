# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What only the SAGAN bundle and its recipes do, as a user runs them, through monai.bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.networks.blocks.attention_gate import AttentionGate
from monai_anomaly.networks.blocks.position_condition import PositionCondition
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.recipes import RECIPES, SHORT, TINY
from tests.helpers.tiny_bundles import config, outputs, parse, table, words
from tests.helpers.tiny_bundles import train as train_bundle
from tests.helpers.trained_models import load, load_trained, spec_args

pytestmark = pytest.mark.usefixtures("at_root")

WITHOUT_POOL = {"identity", "restoration"}
LOSSES = set(RECIPES["sagan"].curves)
PAPER = {  # keeps all that is the paper's but sizes
    **SHORT,
    "generator::channels": 4,
    "generator::residual_blocks": 1,
    "critic::channels": 4,
    "critic::depth": 3,
    "max_epochs": 2,
}


def train(folder: Path, data: Path, **overrides: Any) -> None:
    """Train a tiny one."""
    train_bundle(folder, data, bundle="sagan", **overrides)


def history(folder: Path) -> list[dict[str, str]]:
    return table(folder / "output" / "history.csv")


@pytest.fixture
def trained_sagan(examples) -> Path:
    """Return the folder of a short training."""
    return examples("sagan").folder


def losses(folder: Path) -> set[str]:
    """Return the losses in the history."""
    return {name for name in history(folder)[0] if name in LOSSES}


def images(folder: Path, data: Path, section: str) -> torch.Tensor:
    """Return the images of a section, as the detector sees them."""
    preprocessing = Preprocessing(**spec_args(folder)["preprocessing"])
    return torch.stack([preprocessing(item)["image"] for item in load_datalist(str(data), section)])


# ---- training ------------------------------------------------------------------------------------------------------


def test_a_model_knows_its_normals_and_its_pool(trained_sagan):
    model = load(trained_sagan / "models" / "model.pt")
    assert model["data"]["unlabeled training images"] == 12
    assert len(model["fingerprints"]) == 12 + 12
    assert losses(trained_sagan) == LOSSES


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
    parser = parse("sagan", "paper")
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
def test_overlays_go_together_with_several_processes(overlay):
    imports = set(parse("sagan", overlay).get("imports"))
    both = set(parse("sagan", overlay, "multi_gpu_train").get("imports"))
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
