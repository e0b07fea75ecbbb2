# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import pytest
import torch
from ignite.engine import Events
from torch import nn

from monai_anomaly.bundle import read_guard
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.handlers.scoring.detector_loader import load_detector
from monai_anomaly.handlers.training.training_checkpoint import (
    TrainingCheckpoint,
    check_spec,
    load_checkpoint,
    save_checkpoint,
)
from monai_anomaly.utils.exceptions import CheckpointError, TrainingError
from tests.helpers.two_players import TwoPlayers, make_trainer

SPEC = {"detector": "Linear", "network": {"in_features": 4}, "preprocessing": {}}


def test_train_save_resume_equals_train_through(tmp_path):
    whole = TwoPlayers()
    make_trainer(whole, epochs=4)[1].run()
    _, first = make_trainer(TwoPlayers(), epochs=2)
    TrainingCheckpoint(tmp_path, first, spec=SPEC).attach(first)
    first.run()
    resumed = TwoPlayers()
    with torch.no_grad():
        resumed.detector.weight.zero_()
    _, second = make_trainer(resumed, epochs=4)
    TrainingCheckpoint(tmp_path, second, spec=SPEC).resume()
    second.run()
    assert second.state.epoch == 4 and second.state.iteration == 8
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_guard_and_the_fingerprints_are_beside_the_weights(tmp_path):
    _, trainer = make_trainer(TwoPlayers())
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    facts = [{"rows": 10, "columns": 10 + i, "colored": 0.0, "group": "a"} for i in range(3)]
    hashes = [pixel_hash(image) for image in images]
    checkpoint = TrainingCheckpoint(tmp_path, trainer, spec=SPEC, facts=facts, pixel_hashes=hashes)
    checkpoint.normals = images
    checkpoint.trainer.objective.detector = nn.Conv2d(1, 1, 1)
    checkpoint._finish(trainer)
    model = load_checkpoint(tmp_path / "model.pt")
    assert model["fingerprints"].tolist() == [fingerprint(one) for one in hashes]
    guard = read_guard(tmp_path / "model.pt")
    assert guard is not None and (guard.n_images, guard.n_groups) == (3, 1)
    assert guard.check(images[0], {"rows": 10, "columns": 40})
    assert "guard" not in load_checkpoint(tmp_path / "checkpoint.pt")


def test_checkpoints_without_a_guard_and_with_a_foreign_one(tmp_path):
    path = tmp_path / "model.pt"
    assert read_guard(path) is None
    save_checkpoint({"model": {}, "spec": SPEC}, path)
    assert read_guard(path) is None
    save_checkpoint({"model": {}, "spec": SPEC, "guard": {"version": 0}}, path)
    with pytest.raises(CheckpointError, match="another version"):
        read_guard(path)


def test_epochs_of_another_length_cannot_be_resumed(tmp_path):
    _, trainer = make_trainer(TwoPlayers())
    checkpoint = TrainingCheckpoint(tmp_path, trainer, spec=SPEC)
    checkpoint.attach(trainer)
    trainer.run()
    _, other = make_trainer(TwoPlayers(), n=36)
    with pytest.raises(CheckpointError, match=r"2 iterations and this run's 3"):
        TrainingCheckpoint(tmp_path, other, spec=SPEC).resume()


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"model": {"w": torch.ones(3)}, "spec": SPEC}, path)
    script = textwrap.dedent(
        f"""
        import resource, signal, torch
        from monai_anomaly.handlers.training.training_checkpoint import CheckpointError, save_checkpoint
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            save_checkpoint({{"model": {{"w": torch.ones(10**6)}}, "spec": {{}}}}, {str(path)!r})
        except CheckpointError as error:
            assert "checkpoint.pt" in str(error) and "Free some space" in str(error), error
        else:
            raise SystemExit("no error")
        """
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert torch.equal(load_checkpoint(path)["model"]["w"], torch.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_pickle_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "marker"

    class Payload:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "model.pt"
    torch.save({"model": {}, "spec": Payload()}, path, pickle_module=pickle)
    with pytest.raises(CheckpointError, match="damaged or holds more"):
        load_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [{"weights": torch.zeros(1)}, [torch.zeros(1)]])
def test_a_stranger_s_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this package"):
        load_checkpoint(tmp_path / "model.pt")


def test_every_difference_is_named():
    other = {"detector": "Linear", "network": {"in_features": 5, "bias": True}, "preprocessing": {}}
    with pytest.raises(CheckpointError) as caught:
        check_spec(SPEC, other, "x.pt")
    assert "network.bias is None there and True here" in str(caught.value)
    assert "network.in_features is 4 there and 5 here" in str(caught.value)
    check_spec({"a": [1, 2]}, {"a": (1, 2)}, "x.pt")


def test_a_detector_loads_wholly_or_not_at_all(tmp_path):
    network = nn.Linear(4, 2)
    before = network.weight.detach().clone()
    save_checkpoint({"model": nn.Linear(4, 3).state_dict(), "spec": SPEC}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="another architecture"):
        load_detector(network, tmp_path / "a.pt")
    assert torch.equal(network.weight, before)
    save_checkpoint({"model": network.state_dict(), "spec": {**SPEC, "detector": "Other"}}, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match="is of a Other"):
        load_detector(network, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_detector(network, tmp_path / "none.pt")


def test_spoiled_weights_are_never_saved(tmp_path):
    _, good = make_trainer(TwoPlayers())
    TrainingCheckpoint(tmp_path, good, spec=SPEC).attach(good)
    good.run()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    # as by a last step that no loss has shown yet
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: objective.detector.weight.data.fill_(torch.inf))
    TrainingCheckpoint(tmp_path, trainer, spec=SPEC).attach(trainer)
    with pytest.raises(TrainingError, match="not finite"):
        trainer.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
