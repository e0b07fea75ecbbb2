# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

import pytest
import torch
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_anomaly.handlers.training.sample_images import SampleImages


class Half(torch.nn.Module):
    """Restores half of an image; a part of it is frozen in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.p = torch.nn.Parameter(torch.zeros(()))
        self.frozen = torch.nn.Dropout().eval()

    def reconstruct(self, image):
        return image / 2

    def forward(self, image):
        return (image / 2).mean(1, keepdim=True)


def steps(folder) -> list[int]:
    return [event.step for event in EventAccumulator(str(folder), {"images": 0}).Reload().Images("samples")]


def test_sample_images_are_written_and_leave_the_modes_alone(tmp_path):
    network = Half().train()
    network.frozen.eval()
    engine = Engine(lambda e, b: None)
    SampleImages(str(tmp_path), torch.rand(20, 1, 8, 8), network, count=4).attach(engine)
    engine.run([0], max_epochs=1)
    assert network.training and not network.frozen.training
    (image,) = EventAccumulator(str(tmp_path)).Reload().Images("samples")
    assert (image.width, image.height) == (4 * 10 + 2, 3 * 10 + 2)


def test_pictures_come_at_once_after_growing_pauses_and_after_epochs(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    read = []

    def step(_engine, _batch):
        clock[0] += 5.0
        if _engine.state.iteration == 2:
            read.append(steps(tmp_path))

    engine = Engine(step)
    SampleImages(str(tmp_path), torch.rand(2, 1, 8, 8), Half(), interval=2).attach(engine)
    engine.run(range(8), max_epochs=2)
    assert read == [[1]]  # on the disk while the second iteration runs
    assert steps(tmp_path) == [1, 3, 7, 15, 16]  # after 10, 20 and 40 seconds, and after the second epoch


@pytest.mark.parametrize("channels", [1, 3])
def test_a_stage_shows_its_images_alone_and_once(tmp_path, channels):
    engine = Engine(lambda e, b: None)
    SampleImages(str(tmp_path), torch.rand(20, channels, 8, 8), count=4).attach(engine)
    engine.run([0, 0], max_epochs=3)
    (image,) = EventAccumulator(str(tmp_path)).Reload().Images("samples")
    assert (image.step, image.width, image.height) == (1, 4 * 10 + 2, 10 + 2)
