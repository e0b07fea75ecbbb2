# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What only the SAGAN bundle and its recipes do, as a user runs them, through monai.bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_anomaly.networks.blocks.attention_gate import AttentionGate
from monai_anomaly.networks.blocks.position_condition import PositionCondition
from tests.helpers.recipes import RECIPES, SHORT
from tests.helpers.tiny_bundles import Example, parse, table, train
from tests.helpers.trained_models import spec_args

pytestmark = pytest.mark.usefixtures("at_root")

LOSSES = set(RECIPES["sagan"].curves)
PAPER = {  # keeps all that is the paper's but sizes
    **SHORT,
    "generator::channels": 4,
    "generator::residual_blocks": 1,
    "critic::channels": 4,
    "critic::depth": 3,
    "max_epochs": 2,
}


def losses(folder: Path) -> set[str]:
    """Return the losses in the history."""
    return set(table(folder / "output" / "history.csv")[0]) & LOSSES


# ---- training ------------------------------------------------------------------------------------------------------


def test_a_model_knows_its_normals_and_its_pool(examples):
    model = examples("sagan").load()
    assert model["data"]["unlabeled training images"] == 12
    assert len(model["fingerprints"]) == 12 + 12
    assert losses(examples("sagan").folder) == LOSSES


def test_an_iteration_has_its_critic_steps_and_one_of_the_generator(examples):
    optimizers = examples("sagan").load("checkpoint")["optimizers"]
    steps = {name: {int(entry["step"]) for entry in optimizers[name]["state"].values()} for name in optimizers}
    assert steps == {"critic": {3 * 2 * 2}, "generator": {3 * 2}}


def test_scores_are_standardized_by_the_training_normals(examples):
    detector = examples("sagan").detector
    with torch.inference_mode():
        raw = detector.judge(examples("sagan").images("training"))[1].double()
    assert raw.shape == (12, 2) and raw.std(dim=0).min() > 0
    assert detector.score_mean.tolist() == pytest.approx(raw.mean(dim=0).tolist(), rel=1e-4)
    assert detector.score_std.tolist() == pytest.approx(raw.std(dim=0, correction=0).tolist(), rel=1e-3)


# ---- as published --------------------------------------------------------------------------------------------------


def test_the_published_recipe_trains_the_published_modes(small_radiographs, tmp_path):
    train(tmp_path, small_radiographs, bundle="sagan", overlays=["paper"], tiny=PAPER)
    trained = Example("sagan", small_radiographs, tmp_path)
    detector = trained.detector
    generator = detector.generator
    modes = {"position": "official", "gate_norm": "instance", "norm": "patch", "mask": "official"}
    assert modes.items() <= spec_args(tmp_path)["network"]["generator"].items()
    assert (generator.mask, generator.output, generator.keep_probability) == ("official", "tanh", 0.95)
    assert {m.kind for m in generator.modules() if isinstance(m, PositionCondition)} == {"official"}
    image = trained.images("test")
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
    (group,) = trained.load("checkpoint")["optimizers"]["generator"]["param_groups"]
    assert group["lr"] == 5e-05 and losses(tmp_path) == LOSSES


# ---- overlays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", ["paper", "select_by_pool"])
def test_overlays_go_together_with_several_processes(overlay):
    imports = set(parse("sagan", overlay).get("imports"))
    both = set(parse("sagan", overlay, "multi_gpu_train").get("imports"))
    assert both == {*imports, "$import torch.distributed"}
