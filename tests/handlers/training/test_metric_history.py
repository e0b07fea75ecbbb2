# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv

import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.metric_history import MetricHistory


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


def test_an_epoch_that_was_ended_early_is_one_row_when_it_is_made_anew():
    history = MetricHistory()
    history.load_state_dict({"rows": [{"epoch": 1.0, "loss": 5.0}, {"epoch": 2.0, "loss": 9.0}]})
    engine = Engine(lambda e, b: {"loss": float(b)})
    history.attach(engine)
    engine.state.epoch_length, engine.state.epoch, engine.state.iteration, engine.state.max_epochs = 2, 1, 2, 3
    engine.run([1.0, 3.0])
    assert [(row["epoch"], row["loss"]) for row in history.rows] == [(1.0, 5.0), (2.0, 2.0), (3.0, 2.0)]
