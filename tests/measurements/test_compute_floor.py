# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser

from measurements.compute_floor import ComputeFloor
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import TINY

BUNDLE = ROOT / "bundles" / "sepiad"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", num_train=8, num_val=4, num_test=2, progress=False)


@pytest.mark.parametrize("adversarial", [True, False])
def test_floor_does_the_work_of_an_iteration(phantom, tmp_path, adversarial):
    """Neither more nor less: without augmentation and policy, it ends with the trainer's weights."""
    settings = {"augment": None, "policy_interval": None, "lr_decay": False, "adversarial": adversarial}
    trainer = _trainer(phantom, tmp_path, **settings)
    floors: list[ComputeFloor] = []

    def step_first(engine: Any) -> None:
        torch.manual_seed(7)
        floors.append(ComputeFloor(engine))
        torch.manual_seed(7)
        floors[0].step()
        torch.manual_seed(7)

    trainer.add_event_handler(Events.ITERATION_STARTED, step_first)
    before = {k: v.clone() for k, v in trainer.objective.state_dict().items() if isinstance(v, torch.Tensor)}
    trainer.run()
    ours, floor = trainer.objective.state_dict(), floors[0].objective.state_dict()
    assert all(torch.equal(ours[k], floor[k]) for k in before)
    changed = {k.split(".")[0] for k in before if not torch.equal(ours[k], before[k])}
    assert changed == ({"detector", "image_critic", "latent_critic"} if adversarial else {"detector"})


def test_floor_leaves_the_trainer_alone(phantom, tmp_path):
    trainer = _trainer(phantom, tmp_path)
    before = {k: v.clone() for k, v in trainer.objective.state_dict().items() if isinstance(v, torch.Tensor)}
    floor = ComputeFloor(trainer)
    floor.step()
    assert all(torch.equal(trainer.objective.state_dict()[k], v) for k, v in before.items())
    assert trainer.objective.augment is not None
    assert floor.objective.augment is None and floor.objective.policy_interval is None


def _trainer(data: Path, folder: Path, **overrides: Any) -> Any:
    """Return the bundle's trainer for one iteration, with all its handlers."""
    places = {"dataset_dir": str(data), "output_dir": str(folder), "bundle_root": str(BUNDLE)}
    config = ConfigParser()
    config.read_config(BUNDLE / "configs" / "train.json")
    for key, value in {**TINY["sepiad"], **places, "max_epochs": 1, "epoch_length": 1, **overrides}.items():
        config[key] = value
    return config.get_parsed_content("train#trainer")
