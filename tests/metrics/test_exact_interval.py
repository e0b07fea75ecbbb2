# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from monai_anomaly.metrics.exact_interval import MOST_CASES, cases_to_show, exact_interval, fewest_cases


@pytest.mark.parametrize("cases", [1, 2, 20, 137])
def test_the_interval_is_that_of_scipy(cases):
    for hits in {0, 1, cases // 2, cases - 1, cases}:
        expected = binomtest(hits, cases).proportion_ci(0.95, method="exact")
        assert exact_interval(hits, cases) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("hits", "cases"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(hits, cases):
    with pytest.raises(ValueError, match="hits must be 0 to cases"):
        exact_interval(hits, cases)


@pytest.mark.parametrize("most", [0.01, 0.1, 0.2, 0.5])
def test_the_fewest_cases_show_a_limit_and_one_less_does_not(most):
    cases = fewest_cases(most)
    assert exact_interval(0, cases)[1] <= most < exact_interval(0, cases - 1)[1]
    assert cases_to_show(most, 0.0) == cases


def test_cases_to_show_are_enough_from_there_on():
    cases = cases_to_show(0.2, 0.1)
    assert cases is not None
    for number in range(cases, cases + 50):
        hits = -(-number // 10)
        assert exact_interval(hits, number)[1] <= 0.2
    assert exact_interval(-(-(cases - 1) // 10), cases - 1)[1] > 0.2


def test_a_share_at_the_limit_is_never_shown():
    assert cases_to_show(0.1, 0.1) is None and cases_to_show(0.1, 0.0999) is None and MOST_CASES >= 10_000
