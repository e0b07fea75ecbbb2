# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whatever the node writes down as a code, its pages say in words."""

from __future__ import annotations

import re

import pytest

from monai_anomaly.apps.node.intake.storage import STORAGE_CLASSES
from monai_anomaly.apps.node.web.views.words import DOOR, IMAGES, delivery_problem, door_reason, sentence, way
from tests.helpers.repository import ROOT

NODE = ROOT / "monai_anomaly" / "apps" / "node"


def codes(pattern: str) -> set[str]:
    return {code for path in NODE.rglob("*.py") for code in re.findall(pattern, path.read_text(encoding="utf-8"))}


def test_every_class_that_the_node_takes_has_a_word():
    assert set(IMAGES) == set(STORAGE_CLASSES)


def test_every_code_has_its_words():
    delivery = codes(r'Outcome\(False, "(\w+)"')
    assert "no_connection" in delivery and all(" " in delivery_problem(code) for code in delivery)
    raised = r"(?:NotTakenError|_end|refused|_count|BodyError)"
    door = codes(raised + r'\((?:\d+, |"(?:folder|dimse)", )?"(?!folder|dimse)(\w+)"')
    assert "wrong_class" in door and door <= set(DOOR)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0xA700", "it answered with status 0xA700"),
        ("http_503", "it answered with HTTP 503"),
        ("no_connection", "nobody answered at its address"),
        ("another word", "another word"),
        (None, ""),
    ],
)
def test_problems_of_deliveries(code, words):
    assert delivery_problem(code) == words


@pytest.mark.parametrize(
    ("origin", "words"), [("dimse:PACS", "by C-STORE"), ("folder", "in the watched folder"), ("x:y", "by x")]
)
def test_the_way_is_said_without_the_sender(origin, words):
    assert way(origin) == words


def test_what_was_written_down_goes_before_what_a_code_means():
    assert door_reason("too_large", "of 9 GiB") == "of 9 GiB"
    assert door_reason("too_large", "") == DOOR["too_large"]
    assert door_reason("new", "") == ""


@pytest.mark.parametrize(("text", "whole"), [("a: b", "A: b."), ("A.", "A."), ("why?", "Why?"), ("", ".")])
def test_sentences(text, whole):
    assert sentence(text) == whole
