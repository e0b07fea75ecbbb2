# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import auc, balanced_accuracy_score, f1_score, roc_curve

from monai_anomaly.metrics.operating_points import operating_points, roc_band

KEYS = ("false_alarm_rate", "sensitivity", "balanced_accuracy", "f1")


def _case(seed: int, n: int = 120, decimals: int = 9):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % 2)
    scores = np.round(1.5 * labels + random.normal(size=n), decimals)
    return labels, scores, [f"p{g}" for g in random.integers(n // 2, size=n)]


@pytest.mark.parametrize("decimals", [9, 1, 0])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_counting_and_scikit_learn(seed, decimals):
    labels, scores, groups = _case(seed, decimals=decimals)
    thresholds = {"low": -9.0, "tied": float(np.median(scores)), "between": 1.234567, "high": 99.0}
    result = operating_points(labels, scores, groups, thresholds, n_bootstrap=50)
    for name, threshold in thresholds.items():
        found = result["thresholds"][name]
        flagged = (scores >= threshold).astype(int)
        assert found["threshold"] == threshold and found["reason"] == ""
        assert found["false_alarm_rate"]["value"] == pytest.approx(flagged[labels == 0].mean(), abs=1e-12)
        assert found["sensitivity"]["value"] == pytest.approx(flagged[labels == 1].mean(), abs=1e-12)
        assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(labels, flagged))
        assert found["f1"]["value"] == pytest.approx(f1_score(labels, flagged))
        for key in KEYS:
            low, high = found[key]["interval"]
            assert 0 <= low <= found[key]["value"] <= high <= 1 and low < high
    best = max((f1_score(labels, scores >= t), t) for t in scores)
    assert result["oracle_f1"]["value"] == pytest.approx(best[0])
    assert f1_score(labels, scores >= result["oracle_f1"]["threshold"]) == pytest.approx(best[0])
    for name, specificity in (("0.90", 0.90), ("0.95", 0.95)):
        allowed = [t for t in scores if (scores[labels == 0] >= t).mean() <= 1 - specificity + 1e-12]
        found = result["oracle_sensitivity_at_specificity"][name]
        assert found["threshold"] == min(allowed)
        assert found["value"] == pytest.approx((scores[labels == 1] >= min(allowed)).mean())
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_no_false_alarm_is_not_known_to_be_none():
    """0 of 33 is no certainty: the interval ends where Wilson's does, whatever the resamples say."""
    labels, scores = np.repeat([0, 1], 33), np.repeat([0.0, 1.0], 33)
    found = operating_points(labels, scores, None, {"t": 0.5})["thresholds"]["t"]
    low, high = binomtest(0, 33).proportion_ci(method="wilson")
    assert found["false_alarm_rate"]["interval"] == pytest.approx([low, high], abs=1e-6)
    assert found["sensitivity"]["interval"] == pytest.approx([1 - high, 1.0], abs=1e-6)
    assert found["balanced_accuracy"]["interval"] == pytest.approx([1 - math.sqrt(2) * high / 2, 1.0], abs=1e-6)


def test_an_interval_of_a_rate_is_near_the_binomial_one():
    labels, scores = np.repeat([0, 1], 400), np.r_[np.arange(400.0), np.arange(400.0) + 100]
    found = operating_points(labels, scores, None, {"t": 360.0}, n_bootstrap=2000)["thresholds"]["t"]
    assert found["false_alarm_rate"]["value"] == pytest.approx(0.1)
    wilson = binomtest(40, 400).proportion_ci(method="wilson")
    assert found["false_alarm_rate"]["interval"] == pytest.approx([wilson.low, wilson.high], abs=0.005)


def test_one_class_leaves_what_needs_the_other_undefined():
    result = operating_points([0] * 30, np.arange(30.0), None, {"t": 27.0})
    found = result["thresholds"]["t"]
    assert found["false_alarm_rate"]["value"] == pytest.approx(0.1)
    assert found["false_alarm_rate"]["interval"] is not None
    for measure in (found["sensitivity"], found["f1"], found["balanced_accuracy"], result["oracle_f1"]):
        assert measure["value"] is None and "only normal images" in measure["reason"]
    assert result["oracle_sensitivity_at_specificity"]["0.95"]["threshold"] is None
    found = operating_points([1] * 30, np.arange(30.0), None, {"t": 27.0})["thresholds"]["t"]
    assert found["sensitivity"]["value"] == pytest.approx(0.1)
    assert found["false_alarm_rate"]["value"] is None and "only abnormal" in found["false_alarm_rate"]["reason"]


def test_a_missing_threshold_keeps_its_reason():
    labels, scores, groups = _case(2)
    result = operating_points(labels, scores, groups, {"0.01": None, "0.1": 1.0}, reasons={"0.01": "too few normals"})
    found = result["thresholds"]["0.01"]
    assert found["threshold"] is None and found["reason"] == "too few normals"
    assert all(found[key] == {"value": None, "interval": None, "reason": "too few normals"} for key in KEYS)
    assert result["thresholds"]["0.1"]["f1"]["value"] is not None


def test_too_few_normals_for_a_specificity_give_no_number():
    labels, scores = np.r_[np.zeros(12), np.ones(30)], np.arange(42.0)
    found = operating_points(labels, scores, None, {})["oracle_sensitivity_at_specificity"]
    assert found["0.90"]["value"] == 1.0
    assert found["0.95"]["value"] is None and "it takes 20" in found["0.95"]["reason"]


def test_the_same_seed_gives_the_same_numbers_and_one_patient_no_interval():
    labels, scores, groups = _case(3)
    first = operating_points(labels, scores, groups, {"t": 1.0}, seed=1)
    assert first == operating_points(labels, scores, groups, {"t": 1.0}, seed=1)
    assert first != operating_points(labels, scores, groups, {"t": 1.0}, seed=2) | {"seed": 1}
    found = operating_points(labels, scores, ["p"] * len(labels), {"t": 1.0})["thresholds"]["t"]["f1"]
    assert found["value"] is not None and found["interval"] is None and found["reason"].startswith("no interval")


@pytest.mark.parametrize(
    ("labels", "scores", "threshold", "match"),
    [
        ([0, 1, 1], [1.0, math.nan, 2.0], 1.0, "number 1 .*is nan"),
        ([0, 1, 1], [2.0, 2.0, 2.0], 1.0, "All 3 scores are equal"),
        ([], [], 1.0, "no images"),
        ([0, 1], [1.0, 2.0], math.nan, "threshold 't' is NaN"),
    ],
)
def test_bad_input_is_one_clear_sentence(labels, scores, threshold, match):
    with pytest.raises(ValueError, match=match):
        operating_points(labels, scores, None, {"t": threshold})


@pytest.mark.parametrize("decimals", [9, 0])
def test_the_curve_is_scikit_learn_s_and_lies_in_its_band(decimals):
    labels, scores, groups = _case(4, decimals=decimals)
    band = roc_band(labels, scores, groups, points=201, n_bootstrap=200)
    far, hit, _ = roc_curve(labels, scores, drop_intermediate=False)
    grid = band["false_alarm_rate"]
    assert band["sensitivity"] == pytest.approx(np.interp(grid, far, hit), abs=1e-12)
    assert auc(grid, band["sensitivity"]) == pytest.approx(auc(far, hit), abs=0.01)
    assert (band["lower"] <= band["sensitivity"]).all() and (band["sensitivity"] <= band["upper"]).all()
    assert band["lower"].shape == band["upper"].shape == (201,) and band["reason"] == ""
    assert (np.diff(band["sensitivity"]) >= 0).all()


def test_the_band_does_not_fall_and_holds_the_curve():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 200)
    band = roc_band(labels, random.normal(1.3 * labels), n_bootstrap=200)
    assert (np.diff(band["lower"]) >= 0).all() and (np.diff(band["upper"]) >= 0).all()
    assert (band["lower"] <= band["sensitivity"]).all() and (band["sensitivity"] <= band["upper"]).all()


def test_a_curve_or_a_band_that_cannot_be_has_a_reason():
    band = roc_band([0, 0], [1.0, 2.0])
    assert band["sensitivity"] is None and "only normal" in band["reason"]
    band = roc_band([0, 1, 1], [1.0, 2.0, 3.0], ["p", "p", "p"])
    assert band["lower"] is None and band["upper"] is None and band["reason"].startswith("no interval")
    assert band["sensitivity"][0] == 1.0
