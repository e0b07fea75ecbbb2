# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from ignite.engine import Events

from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
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
    before = (tmp_path / "checkpoint.pt").read_bytes()
    objective = TwoPlayers()
    _, trainer = make_trainer(objective)
    # as by a last step that no loss has shown yet
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: objective.detector.weight.data.fill_(torch.inf))
    TrainingCheckpoint(tmp_path, trainer, spec=SPEC).attach(trainer)
    with pytest.raises(TrainingError, match="not finite"):
        trainer.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
