# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from monai_anomaly.apps.drift.checks import (
    compare_rates,
    compare_values,
    rate_limits,
    uniform_distance,
    value_limits,
)

DRAW = np.random.default_rng(0)


def test_rates_by_the_hypergeometric_distribution():
    period, reference = np.array([1.0] * 6 + [0.0] * 4), np.array([1.0] * 3 + [0.0] * 27)
    check = compare_rates(period, reference)
    assert (check.n, check.n_reference, check.value, check.reference) == (10, 30, 0.6, 0.1)
    chances = stats.hypergeom(40, 9, 10).pmf(np.arange(10))
    assert check.p == pytest.approx(chances[chances <= chances[6] * (1 + 1e-7)].sum())
    assert check.distance == pytest.approx(0.5)


def test_values_by_the_largest_difference_of_the_distributions():
    period, reference = DRAW.normal(0.5, 1, 40), DRAW.normal(0, 1, 90)
    check = compare_values(period, reference)
    places = np.concatenate([period, reference])
    expected = max(abs((period <= x).mean() - (reference <= x).mean()) for x in places)
    assert check.distance == pytest.approx(expected)
    assert check.value == np.median(period) and check.reference == np.median(reference)


def test_without_values_there_is_nothing_to_say():
    for compare in (compare_rates, compare_values):
        check = compare(np.array([]), np.array([1.0]))
        assert check.p == 1 and math.isnan(check.value) and (check.n, check.n_reference) == (0, 1)
    assert math.isnan(uniform_distance(np.array([])))


@pytest.mark.parametrize("level", [1e-4, 1e-2])
@pytest.mark.parametrize("alarms", [0, 3, 30])
def test_a_rate_alarms_beyond_its_limits_and_not_within(level, alarms):
    reference = np.array([1.0] * alarms + [0.0] * (100 - alarms))
    low, high = rate_limits(25, reference, level)
    for k in range(26):
        p = compare_rates(np.array([1.0] * k + [0.0] * (25 - k)), reference).p
        assert (p > level) == (low <= k / 25 <= high)


def test_a_median_beyond_its_limits_alarms():
    reference = DRAW.normal(0, 1, 400)
    low, high = value_limits(50, reference, 1e-3)
    assert low < 0 < high
    for limit, sign in ((low, -1), (high, 1)):
        for others in (-9.0, 9.0, float(np.median(reference))):  # whatever the other values are
            period = np.array([limit + sign * 0.05] * 26 + [others] * 24)
            assert sign * (np.median(period) - limit) > 0
            assert compare_values(period, reference).p < 1e-3
    assert value_limits(5, reference[:8], 1e-6) == (-math.inf, math.inf)


def test_distance_from_uniform():
    assert uniform_distance(np.array([0.5])) == pytest.approx(0.5)
    assert uniform_distance((np.arange(100) + 0.5) / 100) == pytest.approx(0.005)
