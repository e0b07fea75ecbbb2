# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.handlers.scoring.inference_cards import LONGEST_PICTURE, InferenceCards
from monai_anomaly.handlers.scoring.picture_files import Pictures
from monai_anomaly.scoring.result import Result
from tests.helpers.parsed_page import decode_uri
from tests.helpers.stub_evaluator import StubDetector

RANGE = (0.0, 2.0)


def _result(score, decision="normal", **more):
    image = np.full((1, 8, 6), 0.5, np.float32)
    known = {"name": "a", "status": "scored", "score": score, "decision": decision, "decision_reason": "why"}
    return Result(**(known | {"anomaly_map": image[0], "image": image} | more))


def _cards(size, results, network=None, files=None):
    cards = InferenceCards(size)
    for number, result in enumerate(results):
        cards.offer(number, result, files or Pictures())
    return cards.make(network, "cpu", RANGE)


def test_the_highest_scores_are_kept_and_the_earlier_of_equal_ones():
    scores = np.random.default_rng(0).permutation(50).tolist()
    cards = _cards(4, [_result(score) for score in scores])
    assert sorted(card.score for card in cards.values()) == [46, 47, 48, 49]
    assert all(card.score == scores[number] and card.anchor == f"image-{number}" for number, card in cards.items())
    assert sorted(_cards(2, [_result(1.0)] * 5)) == [0, 1]


def test_refused_images_have_places_of_their_own_and_say_why():
    results = [_result(100.0 + i, "not_applicable") for i in range(9)] + [_result(1.0)] * 9
    cards = _cards(8, results)
    assert [card.decision for card in cards.values()].count("not_applicable") == 2
    assert {card.note for card in cards.values() if card.decision == "not_applicable"} == {"Why"}
    assert {card.note for card in cards.values() if card.decision == "normal"} == {""} and len(cards) == 10


def test_without_a_gallery_there_are_no_cards():
    assert _cards(0, [_result(1.0), _result(2.0, "not_applicable")]) == {}


def test_a_card_shows_what_was_cut_out_at_its_aspect_and_leads_to_the_files():
    seen = np.random.default_rng(0).random((3, 300, 600), dtype=np.float32)
    files = Pictures(map="maps/000000_a.nii", overlay="overlays/000000_a.png", seen=seen)
    (card,) = _cards(1, [_result(1.0, box=(0, 0, 600, 300))], StubDetector(), files).values()
    assert card.aspect == 2 and card.reconstruction
    assert card.links == (("overlay", "overlays/000000_a.png"), ("map", "maps/000000_a.nii"))
    shown = decode_uri(card.image)
    assert shown.shape == (LONGEST_PICTURE // 2, LONGEST_PICTURE, 3)
    assert files.seen is None  # it would keep the whole source picture in memory


def test_a_card_of_a_cine_names_its_frame():
    cine = {"frame": 7, "frames": (0, 7, 9), "frame_scores": (0.1, 1.0, 0.2)}
    cards = _cards(4, [_result(1.0, **cine), _result(1.0, "not_applicable", **cine)])
    assert [card.note for card in cards.values()] == [
        "Frame 7, the highest of 3.",
        "Why Frame 7, the highest of 3.",
    ]


def test_results_without_a_score_are_passed_over():
    assert _cards(3, [Result(name="a", status="rejected", code="x", reason="y")]) == {}


def test_a_network_without_reconstructions_shows_none():
    (card,) = _cards(1, [_result(1.0)], StubDetector(reconstructs=False)).values()
    assert card.reconstruction == "" and card.aspect == pytest.approx(6 / 8)
