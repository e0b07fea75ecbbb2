# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import random
import time

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset

from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.handlers.training.epoch_seed import EpochSeed
from monai_anomaly.handlers.training.metric_history import MetricHistory
from monai_anomaly.handlers.training.progress import TrainingProgress
from monai_anomaly.handlers.training.sample_images import SampleImages
from monai_anomaly.handlers.training.scalars import scalars
from monai_anomaly.handlers.training.time_budget import Deadline, TimeBudget
from monai_anomaly.utils.exceptions import ConfigError


def draws(engine):
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_epoch_seed_makes_an_epoch_independent_of_what_came_before():
    def run(start, seed=3):
        seen = []
        engine = Engine(lambda e, b: seen.append((e.state.epoch, b, *draws(e))))
        data = Dataset(list(range(6)))
        loader = DataLoader(data, batch_size=2, sampler=EpochSampler(data, 4, seed=seed))
        EpochSeed(seed, loader).attach(engine)
        engine.state.epoch = start

        @engine.on(Events.STARTED)
        def begin(e):
            e.state.epoch, e.state.iteration = start, start * 2

        engine.run(loader, max_epochs=3, epoch_length=2)
        return [(e, b.tolist(), *rest) for e, b, *rest in seen]

    whole, tail = run(0), run(2)
    assert whole[4:] == tail
    assert whole[:2] != whole[2:4]
    assert run(0, seed=4) != whole


def test_time_budget_ends_cleanly_and_within_itself():
    engine = Engine(lambda e, b: time.sleep(0.05))
    completed = []
    engine.add_event_handler(Events.COMPLETED, lambda e: completed.append(e.state.iteration))
    budget = TimeBudget(0.5 / 60)
    Deadline(budget).attach(engine)
    engine.run(range(1000))
    assert completed and 1 < completed[0] <= 10
    assert budget.elapsed < 0.5 + 0.2


def test_stages_share_one_budget():
    budget = TimeBudget(1.0)
    assert Deadline(budget, 0.25).seconds == 15.0
    assert Deadline(budget).seconds == 60.0
    assert Deadline(TimeBudget(None)).seconds is None


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_a_budget_must_be_positive(minutes):
    with pytest.raises(ConfigError, match="max_minutes must be above 0"):
        TimeBudget(minutes)


def test_a_share_must_lie_in_the_budget():
    with pytest.raises(ConfigError, match="share"):
        Deadline(TimeBudget(1), 1.5)


def test_history_keeps_means_per_epoch_and_writes_a_table(tmp_path):
    validator = Engine(lambda e, b: None)
    validator.state.metrics = {"auroc": 0.75, "curve": [1, 2]}

    engine = Engine(lambda e, b: {"loss": float(b), "label": 1, "image": torch.zeros(2)})
    history = MetricHistory(tmp_path / "history.csv", validator=validator)

    @engine.on(Events.EPOCH_COMPLETED(every=2))
    def validate(e):
        validator.state.epoch = e.state.epoch

    history.attach(engine)
    engine.run([1.0, 3.0], max_epochs=2)
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [row["loss"] for row in rows] == ["2", "2"]
    assert [row["val_auroc"] for row in rows] == ["", "0.75"]
    other = MetricHistory()
    other.load_state_dict(history.state_dict())
    assert other.rows == history.rows and other.rows is not history.rows


def test_scalars_are_what_a_curve_can_show():
    output = {"loss": 1.0, "term": torch.tensor(2.0), "image": torch.zeros(1), "label": 0, "name": "x", "ok": True}
    assert scalars([output, output]) == {"loss": 1.0, "term": torch.tensor(2.0)}


def test_progress_reaches_the_end(capsys):
    engine = Engine(lambda e, b: {"loss": 0.5})
    TrainingProgress("training", interval=3).attach(engine)
    engine.run(range(5), max_epochs=2)
    assert "10/10" in capsys.readouterr().err


def test_progress_gives_way_to_an_error():
    def fail(e, b):
        raise RuntimeError("the real reason")

    engine = Engine(fail)
    TrainingProgress().attach(engine)
    with pytest.raises(RuntimeError, match="the real reason"):
        engine.run(range(5))


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
