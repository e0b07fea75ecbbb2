# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil

import pytest
import torch
from ignite.engine import Events

from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.utils.checkpoint import load_checkpoint
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


def test_epochs_of_another_length_cannot_be_resumed(tmp_path):
    _, trainer = make_trainer(TwoPlayers())
    checkpoint = TrainingCheckpoint(tmp_path, trainer, spec=SPEC)
    checkpoint.attach(trainer)
    trainer.run()
    _, other = make_trainer(TwoPlayers(), n=36)
    with pytest.raises(CheckpointError, match=r"2 iterations and this run's 3"):
        TrainingCheckpoint(tmp_path, other, spec=SPEC).resume()


def test_spoiled_weights_are_never_saved(tmp_path):
    _, good = make_trainer(TwoPlayers())
    TrainingCheckpoint(tmp_path, good, spec=SPEC).attach(good)
    good.run()
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    # as by a last step that no loss has shown yet
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: objective.detector.weight.data.fill_(torch.inf))
    checkpoint = TrainingCheckpoint(tmp_path, trainer, spec=SPEC)
    checkpoint.resume()
    checkpoint.attach(trainer)
    trainer.state.max_epochs = 5
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(TrainingError, match="not finite"):
        trainer.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_the_start_and_the_one_before_the_last_are_kept(tmp_path):
    epochs = []
    _, trainer = make_trainer(TwoPlayers(), epochs=3)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda e: epochs.append(saved("checkpoint")))

    def saved(name: str) -> int:
        return load_checkpoint(tmp_path / f"{name}.pt")["trainer"]["epoch"]

    TrainingCheckpoint(tmp_path, trainer, spec=SPEC, interval=2).attach(trainer)
    trainer.run()
    assert epochs == [0, 0, 2]
    assert (saved("checkpoint.previous"), saved("checkpoint")) == (2, 3)


def test_a_run_that_is_resumed_at_its_start_or_its_end_equals_one_that_went_through(tmp_path):
    whole = TwoPlayers()
    _, trainer = make_trainer(whole, epochs=2)
    TrainingCheckpoint(tmp_path / "whole", trainer, spec=SPEC).attach(trainer)
    trainer.run()
    for name in ("start", "end"):
        (tmp_path / name).mkdir()
    _, first = make_trainer(TwoPlayers(), epochs=2)
    TrainingCheckpoint(tmp_path / "start", first, spec=SPEC).attach(first)
    first.add_event_handler(Events.EPOCH_STARTED, first.terminate)
    first.run()
    shutil.copy(tmp_path / "whole" / "checkpoint.pt", tmp_path / "end" / "checkpoint.pt")
    for name in ("start", "end"):
        resumed, ended = TwoPlayers(), []
        _, second = make_trainer(resumed, epochs=2)
        second.add_event_handler(Events.COMPLETED, lambda _, ended=ended: ended.append(True))
        checkpoint = TrainingCheckpoint(tmp_path / name, second, spec=SPEC)
        checkpoint.resume()
        checkpoint.attach(second)
        second.run()
        assert ended == [True]
        assert (tmp_path / name / "checkpoint.pt").read_bytes() == (tmp_path / "whole" / "checkpoint.pt").read_bytes()
