# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents

from monai_anomaly.engines.evaluator import FORWARD_ERROR, isolate_failures
from tests.helpers.stub_evaluator import CPU, StubDetector, make_evaluator, make_items


class _Collect:
    def __init__(self):
        self.items = []

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.items.extend(engine.state.output))


def _run(values, **options):
    collect, network = _Collect(), StubDetector()
    make_evaluator(
        make_items(values, [0] * len(values)), [collect], network, iteration_update=isolate_failures, **options
    ).run()
    return collect.items, network


def test_a_good_batch_runs_once_and_has_no_error_key():
    items, network = _run([0.1, 0.2, 0.3])
    assert network.n_forward == 1
    assert all(FORWARD_ERROR not in item for item in items)


def test_the_others_of_a_bad_batch_get_the_map_that_they_would_have_got_alone():
    values = [0.1, 200.0, 0.3, 0.4]
    items, network = _run(values)
    assert network.n_forward == 1 + 3 + 1
    assert [item.get(FORWARD_ERROR) for item in items] == ["", "RuntimeError: value too large", "", None]
    for item, source in zip(items, make_items(values), strict=True):
        expected = torch.full_like(source["image"], torch.nan) if source["image"].max() > 100 else 2 * source["image"]
        assert torch.equal(item["image"], source["image"]) and item["label"] == 0
        torch.testing.assert_close(item["pred"], expected, rtol=0, atol=0, equal_nan=True)


def test_a_failed_map_has_one_channel_for_a_color_image():
    class _Raises(torch.nn.Module):
        def forward(self, image):
            raise MemoryError

    collect = _Collect()
    items = make_items([0.1])
    items[0]["image"] = items[0]["image"].expand(3, -1, -1)
    make_evaluator(items, [collect], _Raises(), iteration_update=isolate_failures).run()
    assert collect.items[0]["pred"].shape == (1, 8, 6)
    assert collect.items[0][FORWARD_ERROR] == "MemoryError: "


class _FailsOnce:
    def __init__(self):
        self.n_calls = 0

    def __call__(self, *_):
        self.n_calls += 1
        raise RuntimeError("not the network")


@pytest.mark.parametrize("where", [IterationEvents.FORWARD_COMPLETED, IterationEvents.MODEL_COMPLETED])
def test_an_error_after_the_forward_pass_still_ends_the_run(where):
    fails, network = _FailsOnce(), StubDetector()
    evaluator = make_evaluator(make_items([0.1]), [], network, iteration_update=isolate_failures)
    evaluator.add_event_handler(where, fails)
    with pytest.raises(RuntimeError, match="not the network"):
        evaluator.run()
    assert (fails.n_calls, network.n_forward) == (1, 1)


@pytest.mark.parametrize("decollate", [True, False])
def test_an_error_before_the_forward_pass_still_ends_the_run(decollate):
    fails, network = _FailsOnce(), StubDetector()
    evaluator = SupervisedEvaluator(
        device=CPU,
        val_data_loader=DataLoader(Dataset(make_items([0.1] * 4)), batch_size=3),
        network=network,
        iteration_update=isolate_failures,
        decollate=decollate,
    )
    evaluator.add_event_handler(
        Events.ITERATION_COMPLETED(once=1), lambda engine: setattr(engine, "prepare_batch", fails)
    )
    with pytest.raises(RuntimeError, match="not the network"):
        evaluator.run()
    assert (fails.n_calls, network.n_forward) == (1, 1)
