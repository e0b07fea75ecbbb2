# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from measurements.consensus import Scored, false_alarm_rate, rule_aucs


@pytest.fixture
def scored() -> Scored:
    """Return two members of noise, of which the first one sees the abnormal images."""
    rng = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 40)
    scores = rng.normal(size=(100, 2)) + 3.0 * np.stack([labels, 0 * labels], axis=1)
    is_test = np.array([False] * 30 + [True] * 70)
    return Scored(("one", "other"), torch.from_numpy(scores).float(), labels, np.arange(100), is_test)


def test_a_pool_finds_the_member_that_sees_and_the_maximum_needs_none(scored):
    found = rule_aucs(scored)
    assert found["maximum"] > 0.9 and found["stouffer"] > 0.85
    assert found["logistic, half of the test"] > found["stouffer, half of the test"]
    assert found["best member, half of the test"] > 0.95


def test_the_false_alarms_are_those_that_are_promised(scored):
    assert 0.05 < false_alarm_rate(scored, splits=20) < 0.13
