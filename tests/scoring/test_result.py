# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from monai_anomaly.scoring.result import judge
from monai_anomaly.scoring.study import Study
from tests.helpers.calibrations import make_calibration

RULES = {"calibration": None, "alpha": 0.1, "aggregate": "mean", "map_range": (0.0, 2.0)}


def _study(scores, refusals=(), **more):
    items = [
        {
            "name": "a.dcm",
            "image": torch.full((1, 4, 4), score / 2),
            "pred": torch.full((1, 4, 4), score),
            "score": score,
            "frame": 3 * number,
            "source_shape": (40, 56),
            "box": (12, 5, 50, 35),
        }
        for number, score in enumerate(scores)
    ]
    study = Study(len(items), items[0])
    for number, item in enumerate(items):
        study.add(item | more, refusals[number] if refusals else "")
    return study


def test_a_result_shows_the_frame_with_the_highest_score():
    result = judge(_study([0.5, 1.0, 0.25]), **RULES)
    assert (result.status, result.frame, result.frames) == ("scored", 3, (0, 3, 6))
    assert result.score == pytest.approx(1.75 / 3) and result.frame_scores == (0.5, 1.0, 0.25)
    assert np.array_equal(result.anomaly_map, np.ones((4, 4), np.float32))
    assert np.array_equal(result.image, np.full((1, 4, 4), 0.5, np.float32))
    assert (result.source_shape, result.box) == ((40, 56), (12, 5, 50, 35))


def test_a_results_pixels_are_its_own():
    batch = torch.zeros(2, 1, 4, 4)
    study = Study(1, {})
    study.add({"name": "a", "score": 0.0, "image": batch[0], "pred": batch[1]})
    result = judge(study, **RULES)
    batch += 1
    assert not result.image.any() and not result.anomaly_map.any()


def test_the_decision_is_the_calibrations():
    calibration = make_calibration(np.arange(100) / 100, range(100))
    for score, decision in ((0.5, "normal"), (0.95, "anomalous")):
        result = judge(_study([score]), **RULES | {"calibration": calibration})
        assert result.p_value == calibration.p_value(score) and result.threshold == calibration.threshold(0.1)
        assert result.decision == decision and result.frames is result.frame_scores is None


def test_the_first_refusal_of_a_frame_is_the_studys():
    result = judge(_study([0.5, 0.6, 0.7], ["", "Frame 3: dark.", "Frame 6: bright."]), **RULES)
    assert (result.decision, result.decision_reason) == ("not_applicable", "Frame 3: dark.")
    assert result.score == pytest.approx(0.6)


def test_what_was_rejected_has_no_numbers():
    result = judge(_study([0.5], status="rejected", code="truncated", reason="Short.", source_shape=(0, 0)), **RULES)
    assert (result.status, result.code, result.reason) == ("rejected", "truncated", "Short.")
    assert {result.score, result.decision, result.anomaly_map, result.image, result.source_shape, result.box} == {None}


def test_a_record_is_plain_and_a_printed_result_holds_no_name():
    result = judge(_study([0.5, 1.0]), **RULES)
    record = result.record()
    assert json.loads(json.dumps(record)) == record
    assert record["image"] == "a.dcm" and record["map"] is None
    assert (record["frames"], record["box"], record["map_range"]) == ([0, 3], [12, 5, 50, 35], [0.0, 2.0])
    assert "a.dcm" not in repr(result) and "array" not in repr(result)
