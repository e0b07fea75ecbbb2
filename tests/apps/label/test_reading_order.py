# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.label.reading_order import most_anomalous, nearest_threshold


def record(score, status="scored", threshold=2.0):
    return {"status": status, "score": score, "threshold": threshold}


RECORDS = {
    "a": record(1.0),
    "b": record(3.0),
    "c": record(3.0),
    "d": record(None, "rejected"),
    "e": record(None, "failed"),
    "f": record(2.5),
}


def test_the_highest_score_comes_first_and_everything_else_has_a_place():
    assert most_anomalous(["g", "f", "e", "d", "c", "b", "a"], RECORDS) == ["b", "c", "f", "a", "e", "g", "d"]
    assert most_anomalous([], RECORDS) == []


@pytest.mark.parametrize("threshold", [2.0, None])
def test_the_nearest_to_the_threshold_comes_first_and_uncalibrated_scores_have_none(threshold):
    records = RECORDS | {"z": record(2.1, threshold=threshold)}
    last = ["d"]
    expected = ["z", "f", "a", "b", "c", "e"] if threshold else ["f", "a", "b", "c", "e", "z"]
    assert nearest_threshold([*RECORDS, "z"], records) == expected + last
