# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from monai_anomaly.report.control_chart import Point, control_chart, distribution_chart


def point(number: int, value: float, *, alarms: bool = False, **more) -> Point:
    known = {"low": -math.inf, "high": math.inf, "spread": None} | more
    return Point(10 * number + 1, 10 * number + 10, value, alarms=alarms, **known)


def test_a_window_is_a_disc_and_one_that_alarms_a_triangle():
    points = [point(0, 0.1, high=0.4), point(1, 0.2, high=0.4), point(2, 0.9, high=0.4, alarms=True)]
    drawn = str(control_chart("Refused <b>", points, 0.1, None, percent=True))
    assert drawn.count("<circle") == 2 and drawn.count('class="alarm"') == 1 and drawn.count('class="threshold"') == 3
    assert "Refused &lt;b&gt; in 3 windows; 10 % in the reference. 1 windows alarm." in drawn and "<b>" not in drawn
    centers = [float(x) for x in re.findall(r'<circle class="dot" cx="([\d.]+)"', drawn)]
    assert centers[1] - centers[0] == pytest.approx((420 - 14 - 64) / 3, abs=0.1)


def test_medians_have_their_middle_half_and_the_usual_band():
    points = [point(0, 5.0, spread=(4.0, 6.0), low=3.0, high=7.0), point(1, math.nan)]
    drawn = str(control_chart("Brightness", points, 5.0, (4.5, 5.5), percent=False))
    assert drawn.count("bundle interval") == 1 and drawn.count('class="band"') == 1 and drawn.count("<circle") == 1
    assert "nan" not in drawn and "inf" not in drawn


@pytest.mark.parametrize("value", [0.0, 480.0, -2.0])
def test_equal_values_have_an_axis(value):
    drawn = str(control_chart("Rows", [point(0, value)], value, (value, value), percent=False))
    assert "nan" not in drawn and drawn.count("<circle") == 1


def test_distributions_are_steps_from_0_to_1():
    drawn = str(distribution_chart("p-value", np.array([0.25, 0.5, 0.5, 1.0]), np.array([0.1])))
    (steps,) = re.findall(r'class="loss" points="([^"]+)"', drawn)
    places = [tuple(map(float, pair.split(","))) for pair in steps.split()]
    width, height = 420 - 14 - 64, 250 - 44 - 14
    shares = [(round((x - 64) / width, 2), round((250 - 44 - y) / height, 2)) for x, y in places]
    assert shares == [(0, 0), (0.25, 0), (0.25, 0.25), (0.5, 0.25), (0.5, 0.75), (1, 0.75), (1, 1), (1, 1)]
