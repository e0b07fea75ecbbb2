# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from monai_anomaly.metrics.bootstrap import count_above
from monai_anomaly.metrics.checked_scores import check_scores
from monai_anomaly.metrics.false_alarms import false_alarm_rate_at, false_alarm_rate_at_sensitivity


def _case(seed: int, n: int = 90, decimals: int = 9):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % 3 == 0).astype(int)
    return np.round(1.5 * labels + random.normal(size=n), decimals), labels


def _slowly(scores, labels, sensitivity):
    """Try the scores as thresholds from the highest on."""
    normal, abnormal = ([s for s, y in zip(scores, labels, strict=True) if y == label] for label in (0, 1))
    for threshold in sorted(set(scores), reverse=True):
        caught = sum(score >= threshold for score in abnormal)
        if caught / len(abnormal) >= sensitivity:
            return sum(score >= threshold for score in normal) / len(normal)
    raise AssertionError("the lowest score flags everything")


@pytest.mark.parametrize("sensitivity", [0.01, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("decimals", [9, 1, 0])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_trying_every_threshold_and_scikit_learn(seed, decimals, sensitivity):
    scores, labels = _case(seed, decimals=decimals)
    found = false_alarm_rate_at_sensitivity(scores, labels, sensitivity)
    assert found == pytest.approx(_slowly(scores, labels, sensitivity), abs=1e-12)
    far, hit, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert found == pytest.approx(far[np.argmax(hit >= sensitivity)], abs=1e-12)


def test_a_tie_at_the_threshold_is_a_false_alarm():
    assert false_alarm_rate_at_sensitivity([1.0, 0.0, 1.0, 2.0], [0, 0, 1, 1], 1.0) == 0.5
    assert false_alarm_rate_at_sensitivity([1.0, 0.0, 1.0, 2.0], [0, 0, 1, 1], 0.5) == 0.0


def test_the_best_and_the_worst():
    labels = [0, 0, 0, 1, 1, 1]
    assert false_alarm_rate_at_sensitivity([0, 1, 2, 3, 4, 5], labels) == 0.0
    assert false_alarm_rate_at_sensitivity([3, 4, 5, 0, 1, 2], labels) == 1.0


@pytest.mark.parametrize(
    ("n", "sensitivity", "missed"), [(20, 0.95, 1), (100, 0.55, 45), (100, 0.07, 93), (19, 0.95, 0)]
)
def test_a_share_that_is_exact_is_enough(n, sensitivity, missed):
    """Though 0.55 * 100 is more than 55 in floating point; the normals lie between the missed and the caught."""
    abnormal = np.r_[np.arange(missed), np.arange(n - missed) + 1000.0]
    scores = np.r_[abnormal, np.full(7, 500.0)]
    assert false_alarm_rate_at_sensitivity(scores, np.repeat([1, 0], [n, 7]), sensitivity) == 0.0
    if missed:  # one more to catch, and all normals come with it
        more = sensitivity + 1 / n
        assert false_alarm_rate_at_sensitivity(scores, np.repeat([1, 0], [n, 7]), more) == 1.0


def test_weighted_resamples_are_as_repeated_images():
    scores, labels = _case(2, n=30, decimals=1)
    weights = np.random.default_rng(0).integers(0, 3, size=(8, 30)).astype(np.float64)
    found = false_alarm_rate_at(count_above(check_scores(labels, scores), weights), 0.9)
    for weight, rate in zip(weights.astype(int), found, strict=True):
        assert rate == pytest.approx(_slowly(np.repeat(scores, weight), np.repeat(labels, weight), 0.9), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_a_resample_of_one_class_has_no_rate(label):
    found = false_alarm_rate_at(count_above(check_scores([label] * 3, [1.0, 2.0, 3.0])), 0.95)
    assert found.shape == (1,) and math.isnan(found[0])


@pytest.mark.parametrize(
    ("scores", "labels", "sensitivity", "match"),
    [
        ([1.0, 2.0], [0, 0], 0.95, r"only normal images \(2\), so that the false-alarm rate at a sensitivity is"),
        ([1.0, 2.0], [1, 1], 0.95, "only abnormal images"),
        ([1.0, math.nan], [0, 1], 0.95, "is nan"),
        ([1.0, 1.0], [0, 1], 0.95, "scores are equal"),
        ([], [], 0.95, "no images"),
        ([0.5, 2.0], [0.3, 1], 0.95, "Labels must be 0"),
        ([1.0, 2.0], [0, 1], 0.0, "sensitivity must be above 0 and at most 1, got 0.0"),
        ([1.0, 2.0], [0, 1], 1.01, "sensitivity must be"),
        ([1.0, 2.0], [0, 1], math.nan, "sensitivity must be"),
    ],
)
def test_bad_input_is_one_clear_sentence(scores, labels, sensitivity, match):
    with pytest.raises(ValueError, match=match):
        false_alarm_rate_at_sensitivity(scores, labels, sensitivity)
