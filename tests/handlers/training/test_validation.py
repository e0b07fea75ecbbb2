# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import math

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanAbsoluteError, from_engine

from monai_anomaly.handlers.training.validation import Validation


def validator() -> SupervisedEvaluator:
    data = [{"image": torch.zeros(1, 1, 2, 2), "label": torch.ones(1, 1, 2, 2)}]
    metric = {"error": MeanAbsoluteError(output_transform=from_engine(["pred", "label"]))}
    return SupervisedEvaluator(torch.device("cpu"), data, torch.nn.Identity(), key_val_metric=metric)


@pytest.mark.parametrize(("cut_at", "epochs"), [(None, [2, 4]), (7, [2, 3]), (6, [2]), (1, [1])])
def test_it_validates_after_whole_intervals_and_once_where_an_epoch_ends_early(caplog, cut_at, epochs):
    caplog.set_level(logging.INFO, "monai_anomaly")
    engine = Engine(lambda e, b: None)

    @engine.on(Events.ITERATION_COMPLETED)
    def cut(e):
        if e.state.iteration == cut_at:
            e.terminate_epoch()

    @engine.on(Events.EPOCH_COMPLETED)
    def end(e):
        if e.should_terminate_single_epoch:
            e.terminate()

    Validation(validator(), 2).attach(engine)
    engine.run(range(3), max_epochs=5)
    assert caplog.messages == [f"validation after epoch {epoch}: error 1.0000" for epoch in epochs]


def test_a_metric_without_a_number_is_not_told(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "monai_anomaly")
    evaluator = validator()
    monkeypatch.setattr(evaluator, "run", lambda epoch: None)
    for evaluator.state.metrics in ({"auroc": math.nan}, {"auroc": math.nan, "kl": 0.25}):
        engine = Engine(lambda e, b: None)
        Validation(evaluator, 1).attach(engine)
        engine.run([0])
    assert caplog.messages == ["validation after epoch 1: kl 0.2500"]
