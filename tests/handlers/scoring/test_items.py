# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ignite.distributed as idist
import pytest
from ignite.engine import Events

from monai_anomaly.handlers.scoring.evaluation_report import EvaluationReport
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.handlers.scoring.items import evaluated_items
from tests.helpers.stub_evaluator import make_evaluator, make_items


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], ["0", "1", "1", "0"]])
def test_joins_what_went_in_with_what_came_out(labels):
    items = []
    evaluator = make_evaluator(make_items([0.1, 0.2, 0.3, 0.4], labels), [])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: items.extend(evaluated_items(engine)))
    evaluator.run()
    assert [item["name"] for item in items] == [f"test/case_{i}.dcm" for i in range(4)]
    assert [int(item["label"]) for item in items] == [0, 1, 1, 0]
    assert all(item["pred"].shape == (1, 8, 6) and 0 < item["score"] < 1 for item in items)


@pytest.mark.parametrize("handler", [EvaluationReport, InferenceWriter])
def test_a_distributed_run_is_refused(tmp_path, monkeypatch, handler):
    evaluator = make_evaluator(make_items([0.1], [0]), [handler(tmp_path)])
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    with pytest.raises(RuntimeError, match="one process"):
        evaluator.run()
