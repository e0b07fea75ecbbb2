# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.metrics.study_score import aggregate, check_aggregate


def test_aggregation_agrees_with_numpy():
    scores = np.random.default_rng(0).random(17)
    assert aggregate(scores, "max") == scores.max()
    assert aggregate(scores, "mean") == pytest.approx(scores.mean())
    for share in (0, 0.25, 0.9, 1):
        assert aggregate(scores, f"quantile:{share}") == pytest.approx(np.quantile(scores, share))
    assert [aggregate([0.3], rule) for rule in ("max", "mean", "quantile:0.9")] == [0.3] * 3


@pytest.mark.parametrize("rule", ["median", "quantile", "quantile:2", "quantile:-1", "quantile:nan", 1, ""])
def test_other_texts_are_no_aggregations(rule):
    with pytest.raises(ValueError, match="aggregate must be"):
        check_aggregate(rule)


def test_nothing_cannot_be_aggregated():
    with pytest.raises(ValueError, match="at least one"):
        aggregate([], "max")
