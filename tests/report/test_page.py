# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_curve

import monai_anomaly
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.report.charts import histogram_chart
from monai_anomaly.report.evaluation_numbers import Case, Rules, evaluation_numbers
from monai_anomaly.report.gallery import Gallery, Picture
from monai_anomaly.report.map_collector import MapCollector
from monai_anomaly.report.page import render_report
from monai_anomaly.report.page_head import PageHead, make_head
from monai_anomaly.report.rendering import environment, render
from monai_anomaly.report.score_bins import bin_scores
from tests.helpers.parsed_page import ParsedPage

PACKAGE = Path(monai_anomaly.__file__).parent
HOSTILE = """</svg></style><script>alert(1)</script>"'&amp;{{ 7 * 7 }}{0}%s--><b onload=x>"""
CALIBRATION = Calibration(tuple(np.linspace(0, 1, 50)), tuple(range(50)), "a" * 64, "b" * 64, "c" * 64, "middle", "max")
N = 60
LABELS = np.arange(N) % 2
SCORES = np.random.default_rng(0).normal(0.5 + 0.3 * LABELS, 0.3)


def numbers_of(refused: int = 0, **columns: Any) -> dict[str, Any]:
    """Numbers of 60 images, of which the guard refused the first."""
    cases = [
        Case(f"i{i}", int(LABELS[i]), float(SCORES[i]), f"p{i // 2}", 1, None, 0.5, decision, "why")
        for i, decision in enumerate(["not_applicable"] * refused + ["normal"] * (N - refused))
    ]
    rules = Rules(CALIBRATION, 0.1, guarded=True, seed=0, n_bootstrap=20)
    numbers = evaluation_numbers(cases, rules, maps=MapCollector(), columns=columns)
    return numbers | {"rejected": [], "n_copies": 0, "n_trained_on": None, "unfinished": ""}


def page_of(numbers: dict[str, Any], gallery: Gallery | None = None, **options: Any) -> ParsedPage:
    options = {
        "head": PageHead("a title", ["a fact"], "today"),
        "labels": LABELS,
        "scores": SCORES,
        "gallery": gallery or Gallery(0),
    } | options
    page = ParsedPage(render_report(numbers=numbers, **options))
    page.text = " ".join(page.text.split())
    return page


def with_text(value: Any, text: str) -> Any:
    """Return numbers with each text in them, and each name of a subgroup, replaced."""
    if isinstance(value, str):
        return text
    if isinstance(value, list):
        return [with_text(each, text) for each in value]
    if isinstance(value, dict):
        return {text if key in ("machine", "A") else key: with_text(each, text) for key, each in value.items()}
    return value


def everywhere(text: str) -> ParsedPage:
    """Return a page that shows one text wherever a text from outside is shown."""
    picture = Picture(text, 1, 2.0, np.zeros((1, 4, 4), np.float32), np.zeros((4, 4), np.float32), decision=text)
    gallery = Gallery(6)
    gallery.add(picture)
    numbers = with_text(numbers_of(3, machine=["A"] * N), text)
    numbers |= {"rejected": [{"image": text, "code": text, "reason": text}], "n_trained_on": 1, "unfinished": text}
    for point in numbers["operating_points"]["thresholds"].values():
        point |= {"threshold": None}  # so that its reason is shown
    return page_of(numbers, gallery, head=PageHead(text, [text], "today", [text]), details={text: text})


def test_no_text_becomes_markup():
    harmless, hostile = everywhere("harmless"), everywhere(HOSTILE)
    assert [(tag, list(attributes)) for tag, attributes in hostile.tags] == [
        (tag, list(attributes)) for tag, attributes in harmless.tags
    ]
    assert hostile.text == harmless.text.replace("harmless", HOSTILE)
    assert [attributes for _, attributes in hostile.tags] == [
        {name: value.replace("harmless", HOSTILE) for name, value in attributes.items()}
        for _, attributes in harmless.tags
    ]
    # title twice, what was cut short; of tables: subgroup's column twice and value, refusals, reasons, file, details
    assert hostile.text.count(HOSTILE) > 20
    assert sum(HOSTILE in value for _, attributes in hostile.tags for value in attributes.values()) >= 3


def test_names_of_thresholds_do_not_become_markup():
    chart = histogram_chart(bin_scores(LABELS, SCORES, [0.5]), {HOSTILE: 0.5})
    page = ParsedPage(str(chart))
    assert {tag for tag, _ in page.tags} == {"svg", "path", "text"}
    assert HOSTILE in page.text and HOSTILE in page.tags[0][1]["aria-label"]


def test_one_place_makes_markup_and_no_template_turns_escaping_off():
    makers = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"\bMarkup\(", path.read_text())]
    assert makers == ["svg.py"]
    templates = list((PACKAGE / "report" / "templates").rglob("*.jinja"))
    assert len(templates) > 10
    for template in templates:
        assert not re.search(r"\|\s*safe|autoescape|Markup", template.read_text()), template.name
    assert environment().autoescape is True


def test_colors_are_named_in_the_templates_alone():
    colored = re.compile(r"#[0-9a-f]{6}\b")
    assert [path.name for path in PACKAGE.rglob("*.py") if colored.search(path.read_text())] == []


def test_a_number_that_is_missing_is_an_error():
    numbers = numbers_of()
    del numbers["n_groups"]
    with pytest.raises(jinja2.UndefinedError, match="n_groups"):
        page_of(numbers)
    with pytest.raises(jinja2.UndefinedError, match="head"):
        render("page.html.jinja")


@pytest.mark.parametrize(("refused", "rows", "more"), [(20, 20, ""), (25, 20, "And 5 more; scores.csv has all.")])
def test_the_page_names_twenty_refused_images(refused, rows, more):
    page = page_of(numbers_of(refused))
    assert len(re.findall(r"i\d+ \((?:ab)?normal\)", page.text)) == rows
    assert ("more; scores.csv" in page.text) == bool(more) and more in page.text


def test_rows_of_refused_images_lead_to_their_pictures():
    numbers, gallery = numbers_of(25), Gallery(6)
    for i in np.random.default_rng(1).permutation(N):  # refused ones come at any time
        decision = "not_applicable" if i < 25 else "normal"
        pixels = np.zeros((1, 4, 4), np.float32)
        gallery.add(Picture(f"i{i}", int(LABELS[i]), float(SCORES[i]), pixels, pixels[0], decision=decision))
    names = [picture.name for picture in gallery.refused]
    numbers["guard"]["refused"].sort(key=lambda case: names.index(case["image"]) if case["image"] in names else 99)
    page = page_of(numbers, gallery)
    links = [attributes["href"].removeprefix("#") for tag, attributes in page.tags if tag == "a"]
    cards = [attributes["id"] for _, attributes in page.tags if attributes.get("class") == "card"]
    shown = [alt.split()[2].rstrip(",") for alt, _ in page.images() if alt.startswith("Input image")]
    assert len(set(cards)) == len(cards) == len(gallery.pictures)
    assert [shown[cards.index(link)] for link in links] == names and len(names) == 20


def test_what_guessing_gives_stands_beside_the_numbers():
    numbers = numbers_of()
    text = page_of(numbers).text
    assert "Average precision" in text and "guessing: 0.500" in text  # half of the images are abnormal
    assert "calling every image abnormal gives 0.667" in text
    random = np.random.default_rng(0)
    labels = (random.random(20_000) < 0.3).astype(np.int64)
    cases = [
        Case(f"i{i}", int(y), float(s), f"p{i}", 1, None, None, "", "")
        for i, (y, s) in enumerate(zip(labels, random.random(20_000), strict=True))
    ]
    guessed = evaluation_numbers(cases, Rules(None, 0.1, False, 0, 0), maps=MapCollector(), columns={})
    assert guessed["average_precision"] == pytest.approx(guessed["chance"]["average_precision"], abs=0.01)
    assert guessed["operating_points"]["oracle_f1"]["value"] == pytest.approx(guessed["chance"]["best_f1"], abs=0.001)
    assert guessed["chance"]["best_f1"] == pytest.approx(f1_score(labels, np.ones_like(labels)))


def test_the_point_of_the_threshold_lies_on_the_curve():
    numbers = numbers_of()
    page = page_of(numbers)
    (disc,) = [attributes for tag, attributes in page.tags if tag == "circle"]
    curve = next(attributes for _, attributes in page.tags if attributes.get("class") == "curve")
    x, y = float(disc["cx"]), float(disc["cy"])
    corners = [tuple(map(float, pair.split(","))) for pair in curve["points"].split()]
    assert any(  # of the steps
        min(a[0], b[0]) <= x <= max(a[0], b[0]) and min(a[1], b[1]) <= y <= max(a[1], b[1])
        for a, b in pairwise(corners)
    )
    false_alarms, sensitivity, thresholds = roc_curve(LABELS, SCORES, drop_intermediate=False)
    at = np.searchsorted(-thresholds, -CALIBRATION.threshold(0.1), side="right") - 1  # the last threshold above
    assert f"gives {100 * false_alarms[at]:.1f} % false alarms and finds {100 * sensitivity[at]:.1f} %" in page.text


def test_without_a_calibration_no_point_is_marked():
    cases = [Case(f"i{i}", int(LABELS[i]), float(SCORES[i]), f"p{i}", 1, None, None, "", "") for i in range(N)]
    numbers = evaluation_numbers(cases, Rules(None, 0.1, False, 0, 0), maps=MapCollector(), columns={})
    page = page_of(numbers | {"rejected": [], "n_trained_on": None})
    assert "circle" not in {tag for tag, _ in page.tags} and "A calibration adds a threshold" in page.text


def test_the_head_says_what_the_page_is_of():
    head = make_head(
        "SEPIAD",
        datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
        "labels.csv",
        "",
        unfinished="<30> of 300",
        pool_warning="<sharp> alone.",
    )
    html = render_report(numbers=numbers_of(), labels=LABELS, scores=SCORES, gallery=Gallery(0), head=head)
    page = ParsedPage(html)
    for words in ("labels.csv", monai_anomaly.__version__, "2026-01-02 03:04 UTC", "For research, not for diagnosis"):
        assert words in page.text
    assert "differs from the normals: <sharp> alone." in page.text
    assert "time budget: <30> of 300." in page.text and "<title>SEPIAD, 2026-01-02 03:04 UTC</title>" in html


def test_nothing_refused_has_no_table_and_no_second_number():
    text = page_of(numbers_of()).text
    assert "It refused 0 of 30 normal and 0 of 30 abnormal images" in text and "Without them" not in text


def test_a_guard_that_leaves_one_class_says_why_there_is_no_number():
    numbers = numbers_of(1)
    numbers["guard"]["without_refused"] = {"auroc": None, "auroc_interval": None, "reason": "nothing is left"}
    assert "Without them it is undefined: nothing is left." in page_of(numbers).text


def test_without_details_there_is_no_heading_for_them():
    numbers = numbers_of()
    assert not page_of(numbers).text.endswith("Run")
    assert page_of(numbers, details={"seed": 3}).text.endswith("Run seed3")


# ---- how a number is written ---------------------------------------------------------------------------------------


def written(value: float | None, interval: list[float] | None = None, reason: str = "", **options: Any) -> str:
    estimate = environment().get_template("tables.html.jinja").module.estimate
    html = estimate({"value": value, "interval": interval, "reason": reason}, **options)
    return re.sub(r"\s*\n\s*", "", html)


def test_a_number_comes_with_its_interval():
    assert written(0.5, [0.25, 0.75]) == "0.500<small>0.250 to 0.750</small>"
    assert written(0.5, [0.25, 0.75], percent=True) == "50.0 %<small>25.0 to 75.0</small>"


def test_a_number_without_interval_comes_with_the_reason():
    assert written(0.5, reason="too < few") == '0.500<small class="why">too &lt; few</small>'
    assert written(None, reason="none") == 'undefined<small class="why">none</small>'
