# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from ignite.engine import Engine

from monai_anomaly.handlers.training.sample_images import SampleImages


def test_sample_images_are_written_and_leave_the_mode_alone(tmp_path):
    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.zeros(()))

        def reconstruct(self, image):
            return image / 2

        def forward(self, image):
            return (image / 2).mean(1, keepdim=True)

    network = Half().train()
    engine = Engine(lambda e, b: None)
    SampleImages(str(tmp_path), torch.rand(20, 1, 8, 8), network, count=4).attach(engine)
    engine.run([0], max_epochs=1)
    assert network.training
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path)).Reload()
    (image,) = events.Images("samples")
    assert (image.width, image.height) == (4 * 10 + 2, 3 * 10 + 2)
