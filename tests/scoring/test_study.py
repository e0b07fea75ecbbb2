# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_anomaly.engines.evaluator import isolate_failures
from monai_anomaly.handlers.scoring.evaluation_report import EvaluationReport
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from tests.helpers.stub_evaluator import make_evaluator, make_items

STUDIES = [[0.2], [0.1, 0.9, 0.3, 0.2, 0.1], [0.4, 0.5], [0.7]]
"""Values of the frames of four files; five frames do not fit into the evaluator's batches of three."""


def _items(studies=STUDIES, **more):
    items = []
    for index, values in enumerate(studies):
        frames = make_items(values, [index % 2] * len(values), status="ok", code="", reason="", **more)
        for number, item in enumerate(frames):
            item |= {"name": f"s{index}", "group": f"p{index}", "index": index, "study_frames": len(values)}
            items.append(item | {"frame": 2 * number})
    return items


def _records(folder, items, aggregate="max", **more):
    make_evaluator(items, [InferenceWriter(folder, aggregate=aggregate)], **more).run()
    return [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]


def _frame_scores(items, index):
    return [float((2 * item["image"]).double().mean()) for item in items if item["index"] == index]


@pytest.mark.parametrize(
    ("rule", "function"), [("max", np.max), ("mean", np.mean), ("quantile:0.75", lambda s: np.quantile(s, 0.75))]
)
def test_a_study_has_one_record_and_the_aggregated_score(tmp_path, rule, function):
    items = _items()
    records = _records(tmp_path, items, rule)
    assert [r["image"] for r in records] == ["s0", "s1", "s2", "s3"]
    for index, record in enumerate(records):
        assert record["score"] == pytest.approx(function(_frame_scores(items, index)))
    assert records[1]["frames"] == [0, 2, 4, 6, 8] and records[1]["frame"] == 2
    assert records[1]["frame_scores"] == pytest.approx(_frame_scores(items, 1))
    assert records[0]["frames"] is None and records[0]["frame_scores"] is None
    assert len(list((tmp_path / "maps").iterdir())) == 4


@pytest.mark.parametrize(
    ("change", "status", "code", "reason"),
    [
        ({"status": "rejected", "code": "truncated", "reason": "short"}, "rejected", "truncated", "frame 4: short"),
        ({"image": math.nan}, "failed", "not_finite", "frame 4: The network"),
        ({"image": 200.0}, "failed", "forward_error", "frame 4: RuntimeError"),
    ],
)
def test_a_study_with_a_frame_missing_has_no_score(tmp_path, change, status, code, reason):
    items = _items()
    item = items[3]  # study 1, frame 4
    if "image" in change:
        item["image"][0, 3] = change["image"]
    else:
        item |= change
    records = _records(tmp_path, items, iteration_update=isolate_failures)
    assert (records[1]["status"], records[1]["code"], records[1]["score"], records[1]["map"]) == (
        status,
        code,
        None,
        None,
    )
    assert records[1]["reason"].startswith(reason)
    assert [r["status"] for r in records] == ["scored", status, "scored", "scored"]


def test_the_report_counts_a_study_once(tmp_path):
    items = _items()
    make_evaluator(items, [EvaluationReport(tmp_path, n_bootstrap=10, aggregate="mean")]).run()
    with open(tmp_path / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    means = [float(np.mean(_frame_scores(items, index))) for index in range(4)]
    assert [float(row["score"]) for row in rows] == pytest.approx(means)
    assert [(row["frames"], row["frame"]) for row in rows] == [("1", "0"), ("5", "2"), ("2", "2"), ("1", "0")]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["auroc"] == pytest.approx(roc_auc_score([0, 1, 0, 1], means))
    assert (metrics["n_normal"], metrics["n_abnormal"]) == (2, 2)


def test_mixed_studies_are_an_error(tmp_path):
    items = _items()
    items[2], items[6] = items[6], items[2]
    with pytest.raises(RuntimeError, match="frames of two studies are mixed"):
        _records(tmp_path, items)


def test_a_run_that_ends_within_a_study_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="ended within a study"):
        _records(tmp_path, _items()[:-2])
    with pytest.raises(RuntimeError, match="ended within a study"):
        make_evaluator(_items()[:-2], [EvaluationReport(tmp_path)]).run()


def test_frames_of_other_bytes_are_no_study(tmp_path):
    items = _items(input_digest="a")
    items[3] |= {"input_digest": "b"}  # study 1, frame 4
    records = _records(tmp_path, items)
    assert [r["input_digest"] for r in records] == ["a", None, "a", "a"]
    assert [r["status"] for r in records] == ["scored", "rejected", "scored", "scored"]
    assert (records[1]["code"], records[1]["score"]) == ("inconsistent", None)
    assert records[1]["reason"].startswith("frame 4: the file was changed while its frames were read")
