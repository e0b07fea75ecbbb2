# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import logging
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from monai_anomaly.handlers.scoring.evaluation_report import EvaluationReport
from monai_anomaly.handlers.scoring.score_terms import ScoreTerms
from tests.helpers.stub_evaluator import StubDetector, make_evaluator, make_items

VALUES = [0.1, 0.5, 0.3, 0.9, 0.2, 0.4, 0.8]
LABELS = [0, 1, 0, 1, 0, 1, 0]
NAMES = ("bright", "dark")


class SummedDetector(StubDetector):
    """The stub's score as two terms: three times the mean, less the mean once."""

    term_names = NAMES

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, bool, bool]] = []

    def score_terms(self, image: torch.Tensor) -> torch.Tensor:
        self.asked.append((len(image), self.training, torch.is_grad_enabled()))
        mean = image.mean(dim=(1, 2, 3))
        return torch.stack([3 * mean, -mean], dim=1)


def _evaluate(tmp_path, items=None, network=None, report=False, **options):
    network = SummedDetector() if network is None else network
    handlers = [ScoreTerms(network, tmp_path / "out", n_bootstrap=50, **options)]
    if report:
        handlers.insert(0, EvaluationReport(tmp_path / "out", n_bootstrap=50, gallery=0))
    make_evaluator(make_items(VALUES, LABELS) if items is None else items, handlers, network).run()
    return tmp_path / "out"


def _rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _numbers(folder):
    return json.loads((folder / "terms.json").read_text())


def _with_terms(function):
    network = SummedDetector()
    network.score_terms = function
    return network


def test_the_table_is_that_of_the_report_and_the_terms(tmp_path):
    items = make_items(VALUES, LABELS)
    items[2]["name"], items[1]["name"] = 'a,b "c".png', "caf\udce9.png"
    folder = _evaluate(tmp_path, items, report=True)
    rows, scores = _rows(folder / "terms.csv"), _rows(folder / "scores.csv")
    shared = ["image", "label", "score", "group", "frames", "frame"]
    assert list(rows[0]) == [*shared, *NAMES] and len(rows) == len(items)
    assert [[row[key] for key in shared] for row in rows] == [[row[key] for key in shared] for row in scores]
    for row, item in zip(rows, items, strict=True):
        mean = float(item["image"].mean())
        assert [float(row[name]) for name in NAMES] == pytest.approx([3 * mean, -mean], rel=1e-6)
        assert float(row["bright"]) + float(row["dark"]) == pytest.approx(float(row["score"]), rel=1e-5)


def test_the_numbers_of_the_score_are_those_of_the_report(tmp_path):
    folder = _evaluate(tmp_path, report=True)
    found, report = _numbers(folder), json.loads((folder / "metrics.json").read_text())
    whole = found["numbers"]["score"]
    for key in ("auroc", "average_precision"):
        assert whole[key]["value"] == pytest.approx(report[key])
        assert whole[key]["interval"] == pytest.approx(report[f"{key}_interval"])
    shared = ("n_normal", "n_abnormal", "n_groups", "n_bootstrap", "seed")
    assert [found[key] for key in shared] == [report[key] for key in shared]
    assert (found["sensitivity"], found["aggregate"]) == (0.95, "max")


def test_each_term_has_the_numbers_of_its_column(tmp_path):
    folder = _evaluate(tmp_path)
    rows, found = _rows(folder / "terms.csv"), _numbers(folder)["numbers"]
    assert list(found) == ["score", *NAMES]
    for name, numbers in found.items():
        column = [float(row[name]) for row in rows]
        far, hit, _ = roc_curve(LABELS, column, drop_intermediate=False)
        assert numbers["auroc"]["value"] == pytest.approx(roc_auc_score(LABELS, column))
        assert numbers["average_precision"]["value"] == pytest.approx(average_precision_score(LABELS, column))
        assert numbers["false_alarm_rate_at_sensitivity"]["value"] == pytest.approx(far[np.argmax(hit >= 0.95)])
        for measure in numbers.values():
            low, high = measure["interval"]
            assert 0 <= low <= measure["value"] <= high <= 1 and low < high
    assert found["bright"] == found["score"]  # of the same order
    assert found["dark"]["auroc"]["value"] == pytest.approx(1 - found["bright"]["auroc"]["value"])


def test_the_sensitivity_and_the_seed_are_options(tmp_path):
    first, second = (_numbers(_evaluate(tmp_path / str(seed), seed=seed, sensitivity=0.3)) for seed in (1, 2))
    found = first["numbers"]["score"]["false_alarm_rate_at_sensitivity"]["value"]
    assert found == 0.0 and first["sensitivity"] == 0.3  # 0.9 alone is caught; all three cost one normal of four
    assert first["numbers"]["score"]["auroc"]["interval"] != second["numbers"]["score"]["auroc"]["interval"]


def test_asks_once_for_each_batch_in_eval_mode_without_gradients(tmp_path):
    network = SummedDetector().train()
    _evaluate(tmp_path, network=network)
    assert network.asked == [(3, False, False), (3, False, False), (1, False, False)]
    assert network.training and network.n_forward == 3


def test_the_evaluator_s_network_is_taken_where_none_is_given(tmp_path):
    make_evaluator(make_items(VALUES, LABELS), [ScoreTerms(None, tmp_path)], SummedDetector()).run()
    assert list(_numbers(tmp_path)["numbers"]) == ["score", *NAMES]
    with pytest.raises(ValueError, match="whose score is a sum"):
        make_evaluator(make_items(VALUES, LABELS), [ScoreTerms(None, tmp_path)]).run()


@pytest.mark.parametrize(("rule", "function"), [("max", np.max), ("mean", np.mean), ("quantile:0.5", np.median)])
def test_the_frames_of_a_study_make_one_row_by_the_rule_of_the_score(tmp_path, rule, function):
    studies = [[0.2], [0.1, 0.9, 0.3, 0.2, 0.1], [0.4, 0.5], [0.7]]  # five frames do not fit into batches of three
    items = []
    for index, values in enumerate(studies):
        for number, item in enumerate(make_items(values, [index % 2] * len(values))):
            study = {"name": f"s{index}", "group": f"p{index}", "study_frames": len(values), "frame": 2 * number}
            items.append(item | study)
    rows = _rows(_evaluate(tmp_path, items, aggregate=rule) / "terms.csv")
    assert [row["image"] for row in rows] == ["s0", "s1", "s2", "s3"]
    assert [(row["frames"], row["frame"]) for row in rows] == [("1", "0"), ("5", "2"), ("2", "2"), ("1", "0")]
    for row in rows:
        means = [float(item["image"].mean()) for item in items if item["name"] == row["image"]]
        expected = [function([k * mean for mean in means]) for k in (2, 3, -1)]
        assert [float(row[name]) for name in ("score", *NAMES)] == pytest.approx(expected, rel=1e-5)


def test_unreadable_files_have_no_row(tmp_path):
    items = make_items([*VALUES, 0.0], [*LABELS, 1], status="ok", code="", reason="")
    items[2].update(status="rejected", code="truncated", reason="The file ends early.")
    folder = _evaluate(tmp_path, items, report=True)
    names = [row["image"] for row in _rows(folder / "terms.csv")]
    assert names == [row["image"] for row in _rows(folder / "scores.csv")] and items[2]["name"] not in names
    assert _numbers(folder)["n_normal"] == 3


def test_a_term_that_is_equal_for_all_images_says_so(tmp_path, caplog):
    def flat(image):
        return torch.stack([image.mean(dim=(1, 2, 3)), torch.zeros(len(image))], dim=1)

    with caplog.at_level(logging.INFO):
        found = _numbers(_evaluate(tmp_path, network=_with_terms(flat)))["numbers"]
    nothing = {"value": None, "interval": None, "reason": "the term is equal for all images"}
    assert set(map(str, found["dark"].values())) == {str(nothing)}
    assert found["bright"]["auroc"]["value"] == pytest.approx(roc_auc_score(LABELS, VALUES))
    assert "term dark: the term is equal for all images" in caplog.text


def test_logs_a_line_for_the_score_and_each_term(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="monai_anomaly"):
        _evaluate(tmp_path)
    lines = [record.message for record in caplog.records if record.name.endswith("score_terms")]
    assert [line.split(": ROC AUC ")[0] for line in lines] == ["score", "term bright", "term dark"]
    assert f"{roc_auc_score(LABELS, VALUES):.3f} (95 % interval " in lines[0]
    assert lines[1].endswith("25.0 % false alarms at 95 % sensitivity")


def test_one_patient_of_a_class_has_no_interval(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        measure = _numbers(_evaluate(tmp_path, make_items([0.1, 0.2], [0, 1])))["numbers"]["bright"]["auroc"]
    assert measure["value"] == 1.0 and measure["interval"] is None and measure["reason"].startswith("no interval")
    assert "term bright: ROC AUC 1.000 (no interval)" in caplog.text


def test_a_second_run_of_the_same_evaluator_starts_anew(tmp_path):
    network = SummedDetector()
    evaluator = make_evaluator(make_items(VALUES, LABELS), [ScoreTerms(network, tmp_path, n_bootstrap=20)], network)
    evaluator.run()
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    evaluator.run()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert sorted(first) == ["terms.csv", "terms.json"]


@pytest.mark.parametrize(
    ("values", "labels", "match"),
    [
        ([0.1, 0.2], [0, 0], "only normal images .*undefined"),
        ([0.1, 0.2], [1, 1], "only abnormal images .*undefined"),
        ([0.1, math.nan, 0.2], [0, 1, 0], "'test/case_1.dcm' is nan"),
        ([0.0, 0.0, 0.0], [0, 1, 0], "All 3 scores are equal"),
    ],
)
def test_an_undefined_result_is_the_report_s_error_and_writes_nothing(tmp_path, values, labels, match):
    with pytest.raises(ValueError, match=match):
        _evaluate(tmp_path, make_items(values, labels))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", [0, 4])
def test_a_term_that_is_not_finite_is_named_with_its_image_and_keeps_the_files_of_before(tmp_path, bad, where):
    folder = _evaluate(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken(image):
        terms = SummedDetector().score_terms(image)
        terms[(image.amax(dim=(1, 2, 3)) - VALUES[where]).abs() < 1e-6, 1] = bad
        return terms

    with pytest.raises(ValueError, match=rf"term 'dark': .*'test/case_{where}.dcm' is {bad}"):
        _evaluate(tmp_path, network=_with_terms(broken))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("shape", [(2,), (1, 2), (3, 1)])
def test_terms_of_another_shape_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"one number per image and name, \(3, 2\), got "):
        _evaluate(tmp_path, network=_with_terms(lambda image: torch.zeros(shape)))


@pytest.mark.parametrize("names", [("a", "a"), ("", "a"), ("score", "a"), ("group", "a"), (1, 2)])
def test_names_that_make_no_columns_are_refused(tmp_path, names):
    network = SummedDetector()
    network.term_names = names
    with pytest.raises(ValueError, match="term_names must be different texts"):
        ScoreTerms(network, tmp_path)


def test_options_are_checked(tmp_path):
    with pytest.raises(ValueError, match="whose score is a sum"):
        ScoreTerms(StubDetector(), tmp_path)
    with pytest.raises(ValueError, match="aggregate must be"):
        ScoreTerms(SummedDetector(), tmp_path, "median")
    with pytest.raises(ValueError, match="sensitivity must be"):
        ScoreTerms(SummedDetector(), tmp_path, sensitivity=95)


def test_a_run_that_ends_within_a_study_is_an_error(tmp_path):
    items = make_items(VALUES, LABELS)
    items[6]["study_frames"] = 2
    with pytest.raises(RuntimeError, match="within a study"):
        _evaluate(tmp_path, items)
    assert not (tmp_path / "out").exists()
