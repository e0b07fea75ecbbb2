# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from ignite.engine import Events
from torch import nn

from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.handlers.training.detector_writer import DetectorWriter
from monai_anomaly.handlers.training.map_range import fit_map_range
from monai_anomaly.utils.checkpoint import load_checkpoint, save_checkpoint
from tests.helpers.two_players import TwoPlayers, make_trainer

SPEC = {"detector": "Conv2d", "network": {}, "preprocessing": {}}
FACTS = [{"rows": 10, "columns": 10 + i, "colored": 0.0, "group": "a"} for i in range(3)]


@pytest.fixture
def images() -> torch.Tensor:
    """Three images of noise."""
    return torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_the_detector_is_written_when_the_training_completes(tmp_path):
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    DetectorWriter(tmp_path, objective.detector, spec=SPEC, data={"training images": 24}).attach(trainer)
    trainer.run()
    content = load_checkpoint(tmp_path / "model.pt")
    assert set(content) == {"model", "spec", "data"}
    assert content["spec"] == SPEC and content["data"] == {"training images": 24}
    assert torch.equal(content["model"]["weight"], objective.detector.weight)


def test_range_guard_and_fingerprints_are_beside_the_weights(tmp_path, images):
    network = nn.Conv2d(1, 1, 1)
    hashes = [pixel_hash(image) for image in images]
    writer = DetectorWriter(tmp_path, network, spec=SPEC, normals=images, facts=FACTS, pixel_hashes=hashes)
    writer(make_trainer(TwoPlayers())[1])
    content = load_checkpoint(tmp_path / "model.pt")
    assert content["fingerprints"].tolist() == [fingerprint(pixels) for pixels in hashes]
    assert content["map_range"] == fit_map_range(network, images)
    guard = InputGuard.from_state(content["guard"])
    assert (guard.n_images, guard.n_groups) == (3, 1)
    assert guard.check(images[0], {"rows": 10, "columns": 40})


def test_without_facts_there_is_no_guard(tmp_path, images):
    DetectorWriter(tmp_path, nn.Conv2d(1, 1, 1), spec=SPEC, normals=images)(make_trainer(TwoPlayers())[1])
    assert set(load_checkpoint(tmp_path / "model.pt")) == {"model", "spec", "data", "map_range"}


def test_a_choice_puts_its_weights_back_before_they_are_written(tmp_path):
    network = nn.Linear(1, 1)

    class Choice:
        rule = "epoch 2, the best of 3"

        def put_back(self) -> None:
            with torch.no_grad():
                network.weight.fill_(7.0)

    DetectorWriter(tmp_path, network, spec=SPEC, data={"n": 1}, choice=Choice())(make_trainer(TwoPlayers())[1])
    content = load_checkpoint(tmp_path / "model.pt")
    assert content["model"]["weight"].item() == 7.0
    assert content["data"] == {"n": 1, "checkpoint rule": "epoch 2, the best of 3"}


def test_the_model_of_an_earlier_training_is_put_aside_when_one_starts(tmp_path):
    earlier = TwoPlayers().detector
    with torch.no_grad():
        earlier.weight.fill_(3.0)
    save_checkpoint({"model": earlier.state_dict(), "spec": SPEC}, tmp_path / "model.pt")
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    DetectorWriter(tmp_path, objective.detector, spec=SPEC).attach(trainer)
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: present.append((tmp_path / "model.pt").exists()))
    present: list[bool] = []
    trainer.run()
    assert not any(present)
    assert float(load_checkpoint(tmp_path / "model.earlier.pt")["model"]["weight"][0, 0]) == 3.0
    assert torch.equal(load_checkpoint(tmp_path / "model.pt")["model"]["weight"], objective.detector.weight)


@pytest.mark.parametrize("found", ["finished", "another", "damaged", "none"])
def test_at_the_end_of_a_training_only_what_is_missing_is_written(tmp_path, found):
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    path = tmp_path / "model.pt"
    writer = DetectorWriter(tmp_path, objective.detector, spec=SPEC)
    writer.attach(trainer)
    trainer.run()
    whole = path.read_bytes()
    if found == "another":
        save_checkpoint({"model": {"weight": torch.zeros(1)}, "spec": SPEC}, path)
    elif found == "damaged":
        path.write_bytes(whole[:50] + b"x" + whole[51:])
    elif found == "none":
        path.unlink()
    before = path.stat().st_mtime_ns if path.exists() else 0
    trainer.run()
    assert path.read_bytes() == whole
    assert (path.stat().st_mtime_ns == before) == (found == "finished")
    assert (tmp_path / "model.earlier.pt").exists() == (found == "another")
