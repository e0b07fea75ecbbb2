# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.acceptance.limits import Limit
from monai_anomaly.apps.acceptance.measures import Measured
from monai_anomaly.apps.acceptance.verdicts import Verdict, judge, judge_all
from monai_anomaly.metrics.exact_interval import exact_interval


def share(hits, cases):
    return Measured(hits / cases, exact_interval(hits, cases), "", cases, cases, hits, "exact")


def test_no_alarm_of_twenty_does_not_show_ten_percent():
    found = judge("false_alarms", share(0, 20), Limit(0.1, "bound"))
    assert found.verdict == "not_checked"
    assert "20 patients are too few to show this limit, even without one that counts; it takes 36" in found.reason


def test_thirty_six_without_an_alarm_show_ten_percent():
    assert judge("false_alarms", share(0, 36), Limit(0.1, "bound")) == Verdict("passed")


def test_enough_patients_whose_interval_is_too_wide_fail_and_hear_how_many_it_takes():
    found = judge("false_alarms", share(2, 40), Limit(0.1, "bound"))
    assert found.verdict == "failed" and "at the measured rate 167 would" in found.reason
    assert exact_interval(9, 167)[1] <= 0.1


def test_a_value_beyond_the_limit_fails_however_few_there_are():
    assert judge("false_alarms", share(3, 5), Limit(0.1, "bound")).verdict == "failed"
    assert judge("false_alarms", share(3, 5), Limit(0.1, "value")).verdict == "failed"


def test_a_least_is_shown_from_below():
    assert judge("sensitivity", share(20, 20), Limit(0.8, "bound")).verdict == "passed"
    found = judge("sensitivity", share(10, 10), Limit(0.8, "bound"))
    assert found.verdict == "not_checked" and "even if all of them count; it takes 17" in found.reason


def test_a_limit_on_the_value_passes_and_says_what_the_interval_does():
    assert judge("readable", share(19, 20), Limit(0.95, "value")).verdict == "passed"
    assert "interval does not keep" in judge("readable", share(19, 20), Limit(0.95, "value")).reason
    assert judge("readable", share(20, 20), Limit(0.5, "value")).reason == ""


def test_what_cannot_be_measured_is_never_passed():
    missing = Measured(None, reason="no abnormal study was given")
    assert judge("auc", missing, Limit(0.5, "value")) == Verdict("not_checked", "No abnormal study was given.")
    without_interval = Measured(0.9, reason="fewer than two patients of a class")
    assert judge("auc", without_interval, Limit(0.5, "bound")).verdict == "not_checked"
    assert judge("auc", without_interval, Limit(0.5, "value")).verdict == "passed"
    assert judge("auc", missing, None).verdict == "no_limit"


def test_an_auc_whose_interval_is_too_wide_fails():
    assert judge("auc", Measured(0.8, (0.6, 0.9)), Limit(0.7, "bound")).verdict == "failed"


def test_what_is_required():
    assert judge("calibrated", Measured(1.0), Limit(1.0, "value")).verdict == "passed"
    assert judge("calibrated", Measured(0.0), Limit(1.0, "value")).verdict == "failed"


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["passed", "no_limit"], "passed"),
        (["passed", "not_checked"], "incomplete"),
        (["not_checked", "failed", "passed"], "failed"),
    ],
)
def test_the_whole_is_no_better_than_its_parts(verdicts, whole):
    assert judge_all(map(Verdict, verdicts)) == whole
