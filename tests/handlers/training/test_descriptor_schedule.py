# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.descriptor_schedule import DescriptorSchedule


class Recorder:
    """Writes down what it is told, and the iterations."""

    def __init__(self):
        self.calls = []
        self.engine = Engine(lambda engine, batch: self.calls.append("step"))

    def begin_epoch(self, epoch):
        self.calls.append(f"epoch {epoch}")

    def refresh(self, images):
        self.calls.append(f"refresh with {len(images)}")

    def refreshes(self):
        """The epochs that began right before a refresh."""
        return [int(self.calls[i - 1].split()[1]) for i, call in enumerate(self.calls) if call.startswith("refresh")]


def _attached(**options):
    objective = Recorder()
    DescriptorSchedule(objective, torch.zeros(7, 1, 2, 2), **options).attach(objective.engine)
    return objective


def test_the_epoch_begins_then_the_descriptor_is_taken_then_steps_are_made():
    objective = _attached(interval=2)
    objective.engine.run(range(2), max_epochs=3)
    refreshed = [["epoch 1", "refresh with 7"], ["epoch 2"], ["epoch 3", "refresh with 7"]]
    assert objective.calls == [call for start in refreshed for call in [*start, "step", "step"]]


@pytest.mark.parametrize(
    ("options", "epochs", "expected"),
    [
        ({"interval": 1}, 3, [1, 2, 3]),
        ({"interval": 3}, 8, [1, 4, 7]),
        ({"interval": 10}, 10, [1]),
        ({}, 11, [1, 11]),
    ],
)
def test_refreshes_in_the_first_and_every_few_epochs(options, epochs, expected):
    objective = _attached(**options)
    objective.engine.run(range(1), max_epochs=epochs)
    assert objective.refreshes() == expected
    assert [c for c in objective.calls if c.startswith("epoch")] == [f"epoch {i}" for i in range(1, epochs + 1)]


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_resumed_run_refreshes_in_the_epochs_of_the_whole_one(done):
    objective = _attached(interval=3)
    objective.engine.state.max_epochs = 7
    objective.engine.state.epoch_length = 1
    objective.engine.state.epoch = objective.engine.state.iteration = done
    objective.engine.add_event_handler(Events.STARTED, lambda: objective.calls.append("started"))
    objective.engine.run(range(1), max_epochs=7)
    assert objective.calls[:2] == ["started", f"epoch {done + 1}"]
    assert objective.refreshes() == [epoch for epoch in (1, 4, 7) if epoch > done]


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_below_one_is_refused(interval):
    with pytest.raises(ValueError, match=f"interval must be at least 1, got {interval}"):
        DescriptorSchedule(Recorder(), torch.zeros(7, 1, 2, 2), interval=interval)
