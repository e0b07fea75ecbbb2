# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.decision import decide
from monai_anomaly.report.evaluation_numbers import Case, Rules, evaluation_numbers
from monai_anomaly.report.map_collector import MapCollector

RANDOM = np.random.default_rng(0)
LABELS = np.repeat([0, 1], 40)
SCORES = RANDOM.normal(LABELS, 1.0)


def make_calibration(n_patients: int = 30) -> Calibration:
    scores = tuple(np.random.default_rng(1).normal(0.0, 1.0, n_patients))
    return Calibration(scores, tuple(range(n_patients)), "a" * 64, "b" * 64, "c" * 64, "middle", "max")


def make_cases(calibration=None, alpha=0.05, refused=()) -> list[Case]:
    cases = []
    for i, (label, score) in enumerate(zip(LABELS.tolist(), SCORES.tolist(), strict=True)):
        refusal = "It is blank." if i in refused else ""
        if calibration is not None and calibration.threshold(alpha) is None:
            answer = decide(score, None, alpha, refusal=refusal)
        else:
            answer = decide(score, calibration, alpha, refusal=refusal)
        cases.append(Case(f"i{i}", label, score, f"p{i}", 1, None, answer.p_value, answer.decision, answer.reason))
    return cases


def numbers_of(cases, calibration=None, *, alpha=0.05, guarded=False, maps=None, columns=None):
    rules = Rules(calibration, alpha, guarded, seed=0, n_bootstrap=50)
    numbers = evaluation_numbers(cases, rules, maps=maps or MapCollector(), columns=columns or {})
    json.dumps(numbers, allow_nan=False)  # JSON can hold all of it
    return numbers


def test_rates_at_a_threshold_are_those_of_the_decisions():
    calibration = make_calibration()
    numbers = numbers_of(make_cases(calibration), calibration)
    threshold = calibration.threshold(0.05)
    point = numbers["operating_points"]["thresholds"]["0.05"]
    assert point["threshold"] == threshold
    assert point["false_alarm_rate"]["value"] == pytest.approx(np.mean(SCORES[LABELS == 0] >= threshold))
    assert point["sensitivity"]["value"] == pytest.approx(np.mean(SCORES[LABELS == 1] >= threshold))
    assert numbers["decisions"]["normal"]["anomalous"] / 40 == point["false_alarm_rate"]["value"]
    assert numbers["decisions"]["abnormal"]["normal"] / 40 == pytest.approx(1 - point["sensitivity"]["value"])
    assert numbers["calibration"]["model_hash"] == "a" * 64 and numbers["calibration"]["n_patients"] == 30


def test_a_chosen_rate_joins_the_usual_ones():
    calibration = make_calibration()
    numbers = numbers_of(make_cases(calibration, 0.2), calibration, alpha=0.2)
    assert list(numbers["operating_points"]["thresholds"]) == ["0.01", "0.05", "0.1", "0.2"]
    assert numbers["false_alarm_rate"] == 0.2


def test_too_few_patients_for_a_rate_is_said():
    calibration = make_calibration(12)
    numbers = numbers_of(make_cases(calibration), calibration)
    point = numbers["operating_points"]["thresholds"]["0.05"]
    assert point["threshold"] is None and point["sensitivity"]["value"] is None
    assert "19 patients; here are 12" in point["reason"]
    assert numbers["operating_points"]["thresholds"]["0.1"]["threshold"] is not None
    assert numbers["decisions"]["normal"] == {"normal": 0, "anomalous": 0, "not_applicable": 0, "uncalibrated": 40}


def test_without_calibration_there_are_oracles_and_no_thresholds():
    numbers = numbers_of(make_cases())
    assert numbers["calibration"] is None and numbers["guard"] is None and numbers["subgroups"] == {}
    assert numbers["operating_points"]["thresholds"] == {}
    assert 0 <= numbers["operating_points"]["oracle_sensitivity_at_specificity"]["0.90"]["value"] <= 1


def test_refused_images_stay_in_the_auc_and_are_counted_beside():
    refused = {0, 1, 40}
    numbers = numbers_of(make_cases(refused=refused), guarded=True)
    rest = [i for i in range(80) if i not in refused]
    assert numbers["auroc"] == pytest.approx(roc_auc_score(LABELS, SCORES))
    assert numbers["guard"]["without_refused"]["auroc"] == pytest.approx(roc_auc_score(LABELS[rest], SCORES[rest]))
    assert (numbers["guard"]["n_refused_normal"], numbers["guard"]["n_refused_abnormal"]) == (2, 1)
    assert numbers["guard"]["refused"][2] == {"image": "i40", "label": 1, "reason": "It is blank."}


def test_a_guard_that_leaves_one_class_leaves_no_number():
    guard = numbers_of(make_cases(refused=range(40)), guarded=True)["guard"]
    assert guard["without_refused"]["auroc"] is None
    assert guard["without_refused"]["reason"] == "0 normal and 40 abnormal images are left"


def test_a_small_subgroup_has_no_number():
    columns = {"machine": ["A" if i % 4 else "B" for i in range(80)]}
    subgroups = numbers_of(make_cases(), columns=columns)["subgroups"]["machine"]
    chosen = np.arange(80) % 4 > 0
    assert subgroups["A"]["auroc"]["value"] == pytest.approx(roc_auc_score(LABELS[chosen], SCORES[chosen]))
    assert subgroups["B"]["auroc"]["value"] is None and "10 normal and 10 abnormal" in subgroups["B"]["auroc"]["reason"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"label": 0}, "only normal images"),
        ({"score": 1.0}, "scores are equal"),
        ({"score": math.nan}, "'i0' is nan"),
    ],
)
def test_what_has_no_number_is_an_error(change, match):
    with pytest.raises(ValueError, match=match):
        numbers_of([case._replace(**change) for case in make_cases()])


# ---- maps ----------------------------------------------------------------------------------------------------------


def make_item(anomaly_map: np.ndarray, mask: np.ndarray | None) -> dict:
    item = {"name": "a", "pred": torch.from_numpy(anomaly_map)[None]}
    return item if mask is None else item | {"mask": torch.from_numpy(mask.astype(np.float32))[None]}


def collect(count: int = 10, **options) -> tuple[MapCollector, np.ndarray, np.ndarray]:
    maps, masks = RANDOM.random((count, 6, 5), dtype=np.float32), RANDOM.random((count, 6, 5)) < 0.2
    collector = MapCollector(**options)
    for i in range(count):
        collector.add(make_item(maps[i], masks[i]), f"p{i}")
    return collector, maps, masks


def test_pixel_metrics_are_those_of_all_pixels():
    collector, maps, masks = collect()
    pixels = numbers_of(make_cases(), maps=collector)["pixel_level"]
    assert pixels["reason"] == ""
    assert pixels["pixel_auroc"]["value"] == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()))
    assert pixels["pixel_average_precision"]["value"] == pytest.approx(
        average_precision_score(masks.ravel(), maps.ravel())
    )
    assert pixels["dice"]["value"] is None  # no calibration, no threshold


def test_dice_takes_the_calibrated_threshold():
    calibration = make_calibration()
    collector, maps, masks = collect()
    pixels = numbers_of(make_cases(calibration, 0.1), calibration, alpha=0.1, maps=collector)["pixel_level"]
    hits = maps >= calibration.threshold(0.1)
    both = (hits & masks).sum(axis=(1, 2))
    assert pixels["dice"]["value"] == pytest.approx(np.mean(2 * both / (hits.sum((1, 2)) + masks.sum((1, 2)))))


def test_no_masks_and_too_many_maps_are_said():
    assert numbers_of(make_cases())["pixel_level"] == {"reason": "the data list has no masks"}
    collector, _, _ = collect(max_positions=299)
    assert collector.maps == [] and "299 positions" in numbers_of(make_cases(), maps=collector)["pixel_level"]["reason"]
    assert collect(max_positions=300)[0].reason == ""


def test_images_without_mask_and_cines_are_left_out():
    collector = MapCollector()
    collector.add(make_item(np.zeros((6, 5), np.float32), None), "p")
    collector.add(make_item(np.zeros((6, 5), np.float32), np.zeros((6, 5))), "p", frames=3)
    assert collector.maps == []


def test_a_mask_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"'a' differ in size \(6 x 4 and 6 x 5\)"):
        MapCollector().add(make_item(np.zeros((6, 5), np.float32), np.zeros((6, 4))), "p")
