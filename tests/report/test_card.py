# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.report.card import make_card, make_scale, picture_aspect
from monai_anomaly.report.gallery import Picture
from monai_anomaly.report.rendering import environment
from monai_anomaly.utils.heatmap import PALETTE, map_to_levels
from tests.helpers.parsed_page import ParsedPage

RANGE = (0.0, 2.0)
IMAGE = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 8, 6)


def picture(**options) -> Picture:
    return Picture(**({"name": "a", "label": None, "score": 1.5, "image": IMAGE, "anomaly_map": IMAGE[0]} | options))


def shown(**options) -> ParsedPage:
    note = options.pop("note", "")
    card = make_card(picture(**options), RANGE, "image-7", note=note)
    page = ParsedPage(str(environment().get_template("card.html.jinja").module.card(card)))
    page.text = " ".join(page.text.split())
    return page


def pixels_of(page: ParsedPage, tag_class: str) -> list[dict[str, str]]:
    return [attributes for tag, attributes in page.tags if tag == "img" and attributes.get("class") == tag_class]


def test_the_map_is_beside_the_image_and_lies_over_it():
    page = shown()
    assert [alt for alt, _ in page.images()] == ["Input image a", "Anomaly map of a"]
    assert np.array_equal(page.images()[1][1], map_to_levels(IMAGE[0], RANGE))
    beside = next(attributes for _, attributes in page.tags if attributes.get("alt") == "Anomaly map of a")
    (over,) = pixels_of(page, "over")
    assert over["src"] == beside["src"] and over["alt"] == ""  # a screen reader hears of it once


def test_a_link_leads_to_the_card():
    assert shown().tags[0][1]["id"] == "image-7"


@pytest.mark.parametrize(("given", "aspect"), [(None, 0.75), (1.5, 1.5)])
def test_the_pictures_have_the_aspect_of_the_source(given, aspect):
    style = shown(aspect=given).tags[0][1]["style"]
    assert float(style.split("--aspect:")[1].split(";")[0]) == aspect


def test_three_pictures_where_there_is_a_reconstruction():
    page = shown(reconstruction=IMAGE / 2)
    assert len(page.images()) == 3 and "--tiles: 3" in page.tags[0][1]["style"]
    assert "--tiles: 2" in shown().tags[0][1]["style"]


@pytest.mark.parametrize(
    ("label", "decision", "caption"),
    [
        (None, "anomalous", "1.500 a decided anomalous, p = 0.01"),  # nobody knows whether that is right
        (1, "anomalous", "1.500 abnormal a ✓ decided anomalous, p = 0.01"),
        (0, "anomalous", "1.500 normal a ✗ decided anomalous, p = 0.01"),
        (0, "normal", "1.500 normal a ✓ decided normal, p = 0.01"),
        (None, "not_applicable", "1.500 a No decision: the input guard refuses this image."),
        (None, "uncalibrated", "1.500 a"),
    ],
)
def test_the_caption_says_what_is_known(label, decision, caption):
    assert shown(label=label, decision=decision, p_value=0.01).text.endswith(caption)


def test_a_note_ends_the_caption():
    assert shown(note="<b>frame 3</b>").text.endswith("1.500 a <b>frame 3</b>")


def test_the_controls_name_the_scale_and_the_steps():
    page = ParsedPage(str(environment().get_template("card.html.jinja").module.controls(make_scale(RANGE))))
    ((alt, colors),) = page.images()
    assert "from 0, dark, to 2, bright" in alt and np.array_equal(colors[0], PALETTE)
    radios = [attributes for tag, attributes in page.tags if tag == "input"]
    assert [(radio["value"], "checked" in radio) for radio in radios] == [
        ("off", True),
        ("half", False),
        ("full", False),
    ]


def test_a_large_picture_is_made_smaller_and_its_outline_stays_in_place():
    image = np.repeat(np.repeat(IMAGE, 100, axis=1), 100, axis=2)
    page = shown(image=image, anomaly_map=image[0], reconstruction=image, mask=image[0] > 0.5)
    assert {pixels.shape for _, pixels in page.images()} == {(256, 192)}
    assert np.abs(page.images()[0][1].mean() - 255 * image.mean()) < 0.5
    view = next(attributes["viewbox"] for tag, attributes in page.tags if tag == "svg")
    assert view == "0 0 600 800"


def test_an_extreme_strip_has_a_card_like_others():
    assert picture_aspect((0, 0, 10_000, 1)) == 4 and picture_aspect((0, 0, 1, 10_000)) == 0.25
    assert picture_aspect(None) is None and picture_aspect((0, 0, 0, 0)) is None
