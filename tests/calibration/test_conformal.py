# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from monai_anomaly.calibration.conformal import (
    conformal_p_values,
    conformal_threshold,
    p_value_steps,
    patients_needed,
    smallest_rate,
)

ALPHAS = (0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5)


def slow_p_value(score, normal_scores, groups) -> Fraction:
    """Return the formula as it is written, in whole numbers."""
    patients = defaultdict(list)
    for value, group in zip(normal_scores, groups, strict=True):
        patients[group].append(value)
    total = sum(Fraction(sum(v >= score for v in own), len(own)) for own in patients.values())
    return (1 + total) / (len(patients) + 1)


def sample(seed, *, ties=False, largest=4):
    """Scores of patients with 1 to `largest` images, patients alike within themselves."""
    random = np.random.default_rng(seed)
    n_patients = int(random.integers(1, 45))
    groups = np.repeat(np.arange(n_patients), random.integers(1, largest + 1, n_patients))
    scores = random.normal(size=n_patients)[groups] + random.normal(size=len(groups))
    return (np.round(scores) if ties else scores), groups


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_p_values_are_those_of_the_formula(seed, ties):
    scores, groups = sample(seed, ties=ties)
    asked = np.concatenate([scores, np.nextafter(scores, np.inf), np.nextafter(scores, -np.inf), [-99.0, 99.0, 0.1]])
    expected = [float(slow_p_value(s, scores, groups)) for s in asked]
    assert conformal_p_values(asked, scores, groups).tolist() == expected


def test_with_one_image_for_each_patient_it_is_the_rank():
    p_values = conformal_p_values([0.5, 1.0, 1.5, 4.0, 4.5], [4.0, 1.0, 3.0, 2.0])
    assert p_values.tolist() == [1.0, 1.0, 4 / 5, 2 / 5, 1 / 5]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("seed", range(6))
def test_a_threshold_says_the_same_as_the_p_value_for_every_score(seed, alpha, ties):
    scores, groups = sample(seed, ties=ties)
    threshold = conformal_threshold(alpha, scores, groups)
    asked = np.concatenate([scores, np.nextafter(scores, np.inf), np.nextafter(scores, -np.inf), [-99.0, 99.0]])
    exact = np.array([slow_p_value(s, scores, groups) <= Fraction(alpha).limit_denominator(1000) for s in asked])
    assert np.array_equal(conformal_p_values(asked, scores, groups) <= alpha, exact)
    assert np.array_equal(np.zeros(len(asked), bool) if threshold is None else asked >= threshold, exact)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.03, 0.05, 0.1, 0.15, 1 / 3, 0.5, 0.9])
def test_no_threshold_with_too_few_patients(alpha):
    needed = patients_needed(alpha)
    assert smallest_rate(needed) <= alpha and (needed == 1 or smallest_rate(needed - 1) > alpha)
    assert conformal_threshold(alpha, np.arange(needed, dtype=float)) == np.nextafter(needed - 1.0, np.inf)
    if needed > 1:
        many_images = np.arange(200.0), np.arange(200) % (needed - 1)
        assert conformal_threshold(alpha, *many_images) is None  # patients count, not images


def test_exact_rates_survive_thirds_and_sevenths():
    for size in (3, 7, 49):
        groups = np.repeat(np.arange(19), size)
        scores = np.where(groups == 0, 5.0, 0.0)  # the images of one patient are all high
        assert conformal_p_values([5.0], scores, groups) == [2 / 20]
        assert conformal_threshold(0.1, scores, groups) == np.nextafter(0.0, np.inf)
        assert conformal_threshold(0.05, scores, groups) == np.nextafter(5.0, np.inf)


def test_equal_scores_give_one_or_the_least_p_value():
    assert conformal_p_values([1.9, 2.0, 2.1], [2.0] * 9).tolist() == [1.0, 1.0, 0.1]
    assert p_value_steps([0.0, -0.0, 0.0])[0].tolist() == [0.0]


def test_the_order_of_scores_and_the_names_of_patients_do_not_matter():
    scores, groups = sample(3, ties=True)
    values, p_values = p_value_steps(scores, groups)
    random = np.random.default_rng(0)
    for _ in range(20):
        order, names = random.permutation(len(scores)), random.permutation(1000)
        again = p_value_steps(scores[order], [f"p{names[g]}" for g in groups[order]])
        assert np.array_equal(again[0], values) and np.array_equal(again[1], p_values)


@pytest.mark.parametrize("grouped", [False, True])
def test_p_values_of_new_normals_are_super_uniform(grouped):
    """3,000 draws of 30 patients and a new one, images of a patient being alike; also with ties."""
    random = np.random.default_rng(1)
    draws, n_patients, tied = 3000, 30, []
    p_values = np.empty(draws)
    for draw in range(draws):
        sizes = random.integers(1, 9, n_patients) if grouped else np.ones(n_patients, int)
        groups = np.repeat(np.arange(n_patients), sizes)
        scores = random.standard_t(3, n_patients)[groups] + 0.3 * random.normal(size=len(groups))
        new = random.standard_t(3) + 0.3 * random.normal()
        p_values[draw] = conformal_p_values([new], scores, groups)[0]
        tied.append(conformal_p_values(np.round([new]), np.round(scores), groups)[0])
    for found in (p_values, np.array(tied)):
        for alpha in (1 / 31, 0.05, 0.1, 0.2, 0.5, 0.8):
            assert np.mean(found <= alpha) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / draws)
    if not grouped:  # and not idle: without ties they are uniform on the ranks
        for rank in (1, 3, 10, 20):
            assert abs(np.mean(p_values <= rank / 31) - rank / 31) < 0.03


def test_counting_images_for_patients_would_not_hold_the_rate():
    """The test above can fail: one patient with many images decides where images are the unit."""
    random = np.random.default_rng(2)
    false_alarms = 0
    for _ in range(1000):
        centers = random.normal(size=10)
        scores = np.repeat(centers, 20) + 0.1 * random.normal(size=200)
        false_alarms += conformal_p_values([random.normal()], scores)[0] <= 0.05
    assert false_alarms / 1000 > 0.07


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, np.finfo(float).max])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 2 normal_scores are not finite"):
        conformal_p_values([1.0], [bad, 1.0])
    with pytest.raises(ValueError, match="1 of 1 scores are not finite"):
        conformal_p_values([bad], [1.0])


def test_senseless_input_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        conformal_p_values([1.0], [])
    with pytest.raises(ValueError, match="groups must name the patient"):
        conformal_p_values([1.0], [1.0, 2.0], ["a"])
    for alpha in (0.0, 1.0, -0.1, 5, np.nan, "0.05", True):
        with pytest.raises(ValueError, match="false_alarm_rate must be a number above 0"):
            conformal_threshold(alpha, [1.0])
