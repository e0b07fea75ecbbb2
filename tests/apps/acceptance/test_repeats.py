# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from monai_anomaly.apps.acceptance.repeats import score_alone
from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.scoring.result import Result


def result(name, score):
    status = "scored" if score is not None else "rejected"
    return Result(name=name, status=status, score=score, code="not_found", reason="It is gone.")


class Again:
    """A detector that gives each item another score, in order to be noticed."""

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def score_items(self, items):
        self.asked += [item["name"] for item in items]
        return iter([result(item["name"], self.scores[item["name"]]) for item in items])


IMAGES = [ScoredImage({"name": name, "label": 0, "group": name}, result(name, 1.0)) for name in "abc"]


def test_the_largest_difference_counts_and_the_first_one_only_warms_up():
    detector = Again({"a": 1.0, "b": 1.5, "c": 0.75})
    difference, seconds = score_alone(detector, IMAGES)
    assert difference == 0.5 and len(seconds) == 3
    assert detector.asked == ["a", "c", "b", "a"]


def test_an_image_without_a_score_this_time_is_no_difference_of_zero():
    difference, seconds = score_alone(Again({"a": 1.0, "b": None, "c": 1.0}), IMAGES)
    assert difference is None and len(seconds) == 3
