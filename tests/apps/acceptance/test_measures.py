# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from monai_anomaly.apps.acceptance.measures import Evidence, measure_all, score_spread
from monai_anomaly.apps.acceptance.repeats import Again
from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.scoring.result import Result

RNG = np.random.default_rng(3)


def image(number, label, score, decision="normal", patient=None, **probes):
    status = "scored" if score is not None else "rejected"
    result = Result(name=str(number), status=status, score=score, decision=decision, code="truncated", reason="Cut.")
    item = {"label": label, "group": patient or f"p{number}", "name": str(number), "set": "normals"}
    return ScoredImage(item, result, probes=probes)


def look(images, **changed):
    again = Again(0.0, 0.0, (1, 2))
    usual = {"calibrated": True, "guarded": True, "training_known": True, "alone": 0.0, "again": again}
    return measure_all(Evidence(images, **{**usual, "seconds": [0.1, 0.2], "peak_memory": 100.0, **changed}))


def site():
    """Return 20 normals (3 flagged, 2 refused, 1 not read) and 10 abnormal images (6 found, 1 refused)."""
    decisions = ["anomalous"] * 3 + ["not_applicable"] * 2 + ["normal"] * 14
    normals = [image(n, 0, float(s), d) for n, (s, d) in enumerate(zip(RNG.normal(0, 1, 19), decisions, strict=True))]
    found = ["anomalous"] * 6 + ["not_applicable"] + ["normal"] * 3
    abnormal = [image(50 + n, 1, float(s), d) for n, (s, d) in enumerate(zip(RNG.normal(1, 1, 10), found, strict=True))]
    return [*normals, image(40, 0, None, None), *abnormal]


def test_each_share_is_of_the_images_that_it_says():
    images = site()
    measured = look(images)
    expected = {"readable": (29, 30), "guard_refusals": (2, 19), "false_alarms": (3, 17), "sensitivity": (6, 10)}
    for name, (hits, cases) in expected.items():
        found = measured[name]
        assert (found.hits, found.images, found.patients, found.interval_by) == (hits, cases, cases, "exact")
        interval = binomtest(hits, cases).proportion_ci(0.95, method="exact")
        assert found.value == hits / cases and found.interval == pytest.approx((interval.low, interval.high))
    scored = [each for each in images if each.is_scored]
    auc = roc_auc_score([each.item["label"] for each in scored], [each.score for each in scored])
    low, high = measured["auc"].interval
    assert measured["auc"].value == pytest.approx(auc) and low < auc < high


def test_images_of_one_patient_count_as_one():
    alone = [image(n, 0, float(n), "anomalous" if n % 4 == 0 else "normal") for n in range(40)]
    together = [image(n, 0, float(n), "anomalous" if n % 4 == 0 else "normal", f"p{n // 8}") for n in range(40)]
    one, other = look(alone)["false_alarms"], look(together)["false_alarms"]
    assert one.value == other.value and other.patients == 5 and other.interval_by == "by patients"
    none = look([image(n, 0, float(n), "normal", f"p{n // 8}") for n in range(40)])["false_alarms"]
    assert none.interval[1] > 0.3  # of five patients, not of forty images
    single = look([image(n, 0, float(n), "normal", "p") for n in range(40)])["false_alarms"]
    assert single.interval is None and "fewer than two" in single.reason


def test_what_there_is_nothing_to_measure_with_has_a_reason():
    normals = [image(n, 0, float(n)) for n in range(5)]
    measured = look(normals, calibrated=False, guarded=False, training_known=False, peak_memory=None)
    for name in ("seen_before", "guard_refusals", "false_alarms", "sensitivity", "auc", "inverted", "memory"):
        assert measured[name].value is None and measured[name].reason, name
    assert measured["calibrated"].value == 0
    nothing = look([image(0, 0, None, None)], alone=None, again=None, seconds=[])
    for name, found in nothing.items():
        assert found.value is None or name in ("calibrated", "readable", "memory"), name
    assert nothing["readable"].value == 0
    equal = look([image(0, 0, 1.0), image(1, 1, 1.0)])
    assert equal["auc"].value is None and equal["auc"].reason == "all scores are equal"


def test_differences_are_in_the_spread_of_the_normals():
    mirrored = [{"difference": 0.5}, {"difference": 1.0}, {"difference": 4.0}, {"difference": 0.1}, {"difference": 9.0}]
    normals = [image(n, 0, 3.0 * n, mirrored=m) for n, m in enumerate(mirrored)]
    assert score_spread(normals) == 6.0  # from 3 to 9
    measured = look(normals, alone=0.3, again=Again(0.6, 1.2, (1, 2)))
    assert measured["mirrored"].value == pytest.approx(1 / 6)
    assert measured["repeatability"].value == pytest.approx(0.1) and measured["threads"].value == pytest.approx(0.2)
    lost = [image(n, 0, 3.0 * n, mirrored={"difference": None if n == 2 else 0.0}) for n in range(5)]
    missing = look(lost, alone=None)
    for name in ("mirrored", "repeatability", "threads"):
        assert missing[name].value is None and "no score" in missing[name].reason
    same = look([image(n, 0, 1.0) for n in range(5)], again=Again(0.0, 0.1, (1, 2)))
    assert same["repeatability"].value == 0  # no difference needs no spread
    assert same["threads"].value is None and "half of them the same" in same["threads"].reason


def test_inverted_images_are_noticed_by_the_guard_or_by_their_score():
    noticed = [True, True, False, True]
    normals = [image(n, 0, float(n), inverted={"noticed": seen}) for n, seen in enumerate(noticed)]
    found = look([*normals, image(9, 0, 1.0)])["inverted"]
    assert (found.hits, found.images) == (3, 4)
