# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.report.card import make_card
from monai_anomaly.report.evaluation_numbers import Case, Rules, evaluation_numbers
from monai_anomaly.report.gallery import Gallery, Picture
from monai_anomaly.report.inference_page import InferenceFacts, render_inference
from monai_anomaly.report.map_collector import MapCollector
from monai_anomaly.report.page import render_report
from monai_anomaly.report.page_head import make_head
from tests.helpers.chromium import assert_is_usable, needs_chromium, open_page

CALIBRATION = Calibration(tuple(np.linspace(0, 1, 50)), tuple(range(50)), "a" * 64, "b" * 64, "c" * 64, "middle", "max")
HOSTILE = '<script>alert(1)</script>"\'&<img src="http://evil.example/x.png">.png'
LONG = "a_word_without_spaces_" * 20
HEAD = make_head("A title", datetime(2026, 1, 2), LONG, unfinished="30 of 300 iterations")
IMAGE = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 8, 6)
N = 40
LABELS = np.arange(N) % 2
SCORES = np.append(np.random.default_rng(0).normal(size=N - 1), 1e6)
"""The last one is far out, for the bar at the end of the histogram."""


def _picture(i: int, *, label: int | None, decision: str) -> Picture:
    name, mask = HOSTILE if i == N - 1 else f"image {i}", IMAGE[0] > 0.5
    return Picture(name, label, float(SCORES[i]), IMAGE, IMAGE[0], mask, IMAGE / 2, decision, 0.5, aspect=2.0)


def _report() -> str:
    decisions = ["not_applicable" if i % 8 == 0 else "normal" for i in range(N)]
    gallery = Gallery(12)
    for i in range(N):
        gallery.add(_picture(i, label=int(LABELS[i]), decision=decisions[i]))
    cases = [
        Case(f"i{i}", int(LABELS[i]), float(SCORES[i]), f"p{i}", 1, None, 0.5, decisions[i], LONG) for i in range(N)
    ]
    rules = Rules(CALIBRATION, 0.1, guarded=True, seed=0, n_bootstrap=20)
    numbers = evaluation_numbers(cases, rules, maps=MapCollector(), columns={"machine": ["A"] * N})
    numbers |= {"rejected": [{"image": HOSTILE, "code": "a", "reason": LONG}], "n_trained_on": 3}
    return render_report(
        head=HEAD, numbers=numbers, labels=LABELS, scores=SCORES, gallery=gallery, details={"a key": LONG}
    )


def _inference() -> str:
    keys = ("p_value", "map", "overlay", "code", "reason")
    records = [
        dict.fromkeys(keys)
        | {"image": f"{i}{LONG}", "status": "scored", "score": float(SCORES[i]), "decision": decision}
        | {"decision_reason": LONG, "p_value": 0.5}
        for i, decision in enumerate(["anomalous", "normal", "not_applicable", "anomalous"] * 3)
    ]
    cards = {
        i: make_card(_picture(i, label=None, decision=records[i]["decision"]), (0.0, 1.0), f"image-{i}", note=LONG)
        for i in range(6)
    }
    facts = InferenceFacts(
        head=HEAD, map_range=(0.0, 1.0), threshold=0.5, false_alarm_rate=0.1, n_patients=9, details={"a key": LONG}
    )
    return render_inference(facts, records, cards)


@needs_chromium
@pytest.mark.parametrize(
    ("page", "width", "dark"), [(_report, 1300, False), (_report, 500, True), (_inference, 500, True)]
)
def test_a_page_opens_in_chromium(page, width, dark, tmp_path):
    seen = open_page(page(), tmp_path, width=width, dark=dark)
    assert_is_usable(seen, dark=dark)
    assert sorted(set(seen["widths"])) == [6, 256] and seen["widths"].count(256) == 1  # all pictures and the color bar
    assert seen["ratios"] == pytest.approx([2.0] * len(seen["ratios"]), abs=0.05)
    assert len(seen["charts"]) == (2 if page is _report else 0) and all(height > 200 for height in seen["charts"])
