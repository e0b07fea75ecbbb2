# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pytest

from monai_anomaly.report import inference_page
from monai_anomaly.report.card import make_card
from monai_anomaly.report.gallery import Picture
from monai_anomaly.report.inference_page import InferenceFacts, render_inference
from monai_anomaly.report.page_head import make_head
from tests.helpers.parsed_page import ParsedPage

RANGE = (0.0, 2.0)
KEYS = ("score", "p_value", "decision", "decision_reason", "map", "overlay", "code", "reason")


def _record(name, decision="normal", score=1.0, **more):
    return dict.fromkeys(KEYS) | {"image": name, "status": "scored", "decision": decision, "score": score} | more


def _card(record, number):
    image = np.full((1, 4, 4), 0.5, np.float32)
    picture = Picture(record["image"], None, record["score"], image, image[0], decision=record["decision"])
    return make_card(picture, RANGE, f"image-{number}", links=(("overlay", f"overlays/{number:06d}_a.png"),))


def _page(records, with_cards=(), **facts):
    cards = {number: _card(records[number], number) for number in with_cards}
    head = make_head("A title", datetime(2026, 1, 2), unfinished=facts.pop("unfinished", ""))
    calibrated = {"threshold": 1.2345, "false_alarm_rate": 0.1, "n_patients": 40}
    known = calibrated | {"head": head, "map_range": RANGE, "details": {"seed": 7}} | facts
    page = ParsedPage(render_inference(InferenceFacts(**known), records, cards))
    page.text = " ".join(page.text.split())
    return page


def _order(page, *words):
    places = [page.text.index(word) for word in words]
    return places == sorted(places)


def test_the_most_anomalous_come_first_under_their_decision():
    records = [
        _record("low.png", "normal", 0.1),
        _record("high.png", "anomalous", 3.0),
        _record("other.png", "not_applicable", 9.0, decision_reason="It is in color."),
        _record("highest.png", "anomalous", 4.0),
        _record("middle.png", "normal", 0.5),
        dict.fromkeys(KEYS)
        | {"image": "bad.png", "status": "rejected", "code": "truncated", "reason": "It ends early."},
    ]
    for with_cards in ((), range(5)):
        page = _page(records, with_cards)
        words = "Anomalous (2)", "highest.png", "high.png", "Normal (2)", "middle.png", "low.png"
        assert _order(page, *words, "Not applicable (1)", "other.png", "Not scored (1)", "bad.png", "Run seed7")
        assert "2 of 4 images that the method applies to are called anomalous" in page.text
    assert "It is in color." in _page(records).text
    assert "rejected, truncated: It ends early." in page.text


def test_images_without_a_card_are_a_list_that_leads_to_their_pictures():
    records = [
        _record("a.png", "anomalous", 3.0),
        _record("b.png", "anomalous", 2.0, overlay="overlays/000001_b.png", map="maps/000001_b.png", p_value=0.0123),
        _record("c.png", "anomalous", 1.0, map="maps/000002_c.png"),
        _record("d.png", "anomalous", 0.5),
    ]
    page = _page(records, [0])
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["overlays/000000_a.png", "overlays/000001_b.png", "maps/000002_c.png"]
    assert "Map over the image" in page.text and "Map over the image" not in _page(records).text
    assert _order(page, "a.png", "the rest", "b.png", "c.png", "d.png") and "0.012" in page.text


def test_a_long_folder_makes_no_long_page(monkeypatch):
    monkeypatch.setattr(inference_page, "LONGEST_LIST", 3)
    scores = np.random.default_rng(0).permutation(20)
    records = [_record(f"image{score:02d}.png", "normal", float(score)) for score in scores]
    records += [_record("", status="failed", code="x", reason="y", decision=None, score=None)] * 5
    top = int(np.argmax(scores))
    page = _page(records, [top])
    assert re.findall(r"image(\d\d)", page.text) == ["19", "18", "17", "16"]
    assert "And 16 more; predictions.csv has all." in page.text
    assert page.text.count("failed, x: y") == 3 and "And 2 more" in page.text


def test_the_head_says_what_a_decision_means_and_what_to_beware_of():
    page = _page([_record("a.png")], unfinished="30 of 300 iterations of the training")
    assert "from a score of 1.234 on" in page.text and "at most 10 % of normal images" in page.text
    assert "normals of 40 patients" in page.text and "For research, not for diagnosis" in page.text
    assert "cut short by its time budget: 30 of 300 iterations" in page.text
    assert "0 of 1 images that the method applies to are called anomalous" in page.text


def test_without_a_calibration_nothing_is_called_normal_or_anomalous():
    records = [_record("a.png", "uncalibrated"), _record("b.png", "uncalibrated")]
    page = _page(records, threshold=None, false_alarm_rate=None, n_patients=None)
    assert "2 images scored. There is no calibration" in page.text
    assert "Scored, without a decision (2)" in page.text and "from a score of" not in page.text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b\udce9"])
def test_a_name_is_text_and_the_page_loads_nothing(name):
    records = [
        _record(name, "anomalous", overlay="overlays/000000_a.png"),
        _record(name, "not_applicable", decision_reason=name),
    ]
    for with_cards in ((), (0, 1)):
        page = _page(records, with_cards)
        assert name in page.text
        assert "script" not in {tag for tag, _ in page.tags}
        assert all(attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img")
        (policy,) = [a["content"] for tag, a in page.tags if "Content-Security-Policy" in a.values()]
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_folder_of_unreadable_files_has_a_page():
    record = dict.fromkeys(KEYS) | {"image": "a", "status": "rejected", "code": "not_image", "reason": "No image."}
    page = _page([record])
    assert "0 of 0 images" in page.text and "Not scored (1)" in page.text
