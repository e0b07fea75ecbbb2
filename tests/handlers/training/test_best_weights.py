# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.best_weights import BestWeights


def _validate(network, best, values, start=0):
    """A validator that reports the values in turn, and a network whose weight is the epoch."""
    engine = Engine(lambda _, __: None)
    engine.state.key_metric_name = "m"
    best.attach(engine)
    for epoch, value in enumerate(values, start + 1):
        torch.nn.init.constant_(network.weight, float(epoch))
        engine.state.metrics = {"m": value}
        engine.state.epoch = epoch
        engine.fire_event(Events.COMPLETED)


@pytest.mark.parametrize(
    ("values", "epoch", "scored"),
    [([0.5, 0.9, 0.7], 2, 3), ([0.9, 0.9, 0.1], 1, 3), ([math.nan, 0.2, math.nan], 2, 1), ([-1.0, -2.0], 1, 2)],
)
def test_the_first_best_epoch_is_put_back(values, epoch, scored):
    network = torch.nn.Linear(1, 1)
    best = BestWeights(network, metric="a number")
    _validate(network, best, values)
    best.put_back()
    assert network.weight.item() == epoch
    assert f"epoch {epoch}, the best of {scored} by a number" in best.rule


def test_without_a_number_the_last_weights_stay_and_the_rule_says_so():
    network = torch.nn.Linear(1, 1)
    best = BestWeights(network, metric="a number")
    _validate(network, best, [math.nan, math.nan])
    best.put_back()
    assert network.weight.item() == 2
    assert best.rule.startswith("the last iteration, as no epoch had a number")


@pytest.mark.parametrize("cut", [1, 2])
def test_a_resumed_run_chooses_as_an_uninterrupted_one(cut):
    values = [0.5, 0.9, 0.7]
    first, second = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    before, after = BestWeights(first, metric="a number"), BestWeights(second, metric="a number")
    _validate(first, before, values[:cut])
    after.load_state_dict(before.state_dict())
    _validate(second, after, values[cut:], start=cut)
    after.put_back()
    assert second.weight.item() == 2 and "epoch 2, the best of 3" in after.rule


def test_a_validator_without_a_key_metric_is_refused():
    engine = Engine(lambda _, __: None)
    BestWeights(torch.nn.Linear(1, 1), metric="a number").attach(engine)
    with pytest.raises(ValueError, match="key_val_metric"):
        engine.run([0])
