# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from monai_anomaly.report.svg import (
    Plot,
    Tick,
    area,
    bars,
    chart,
    decades,
    drawing_file,
    element,
    joined,
    line,
    round_values,
    shortened,
    text,
    x_axis,
    y_axis,
)

SVG = "{http://www.w3.org/2000/svg}"
PLOT = Plot(10, 20, 110, 220, x_range=(0, 10), y_range=(-1, 1))


def shapes(markup, tag):
    return [shape.attrib for shape in ElementTree.fromstring(f"<g>{markup}</g>").iter(tag)]


def test_texts_and_values_are_escaped_and_elements_are_not():
    inner = element("b", "1 < 2")
    assert element("a", inner, "&", title='"') == '<a title="&#34;"><b>1 &lt; 2</b>&amp;</a>'
    assert joined([inner, "<"]) == "<b>1 &lt; 2</b>&lt;"


def test_names_of_attributes_and_those_without_a_value():
    assert element("a", class_="x", text_anchor=None, aria_label="y") == '<a class="x" aria-label="y"/>'


def test_a_text_that_looks_like_a_format_stays_as_it_is():
    assert element("a", "{0}%s", title="{}") == '<a title="{}">{0}%s</a>'


def test_a_plot_takes_the_values_at_its_edges_to_its_edges():
    assert [PLOT.x(0), PLOT.x(10)] == [10, 110]
    assert [PLOT.y(-1), PLOT.y(0), PLOT.y(1)] == [220, 120, 20]
    assert PLOT.places([0, 5], [1, -1]) == "10,20 60,220"


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 3, [-2, 0, 2]), (0.1, 0.35, [0.1, 0.15, 0.2, 0.25, 0.3, 0.35])],
)
def test_numbers_of_an_axis_are_round(low, high, values):
    assert round_values(low, high) == values


@pytest.mark.parametrize(("low", "high"), [(1e-12, 3e-12), (-1e30, 2e30), (0.9999, 1.0001), (-7.3, 11.9)])
def test_numbers_of_an_axis_are_few_and_inside(low, high):
    values = round_values(low, high)
    assert 2 <= len(values) <= 6
    assert low <= values[0] and values[-1] <= high


def test_decades_are_named_by_their_powers():
    assert [tuple(tick)[:2] for tick in decades(-2, 1)] == [(-2, "0.01"), (-1, "0.1"), (0, "1"), (1, "10")]
    assert [tick.value for tick in decades(0, 12)] == [0, 3, 6, 9, 12]


def test_an_axis_has_a_number_for_each_tick_and_lines_of_their_kinds():
    ticks = [Tick(0, "none", None), Tick(5, "half", "chance"), Tick(10, "all")]
    axis = x_axis(PLOT, ticks, "name")
    assert [place["x"] for place in shapes(axis, "text")] == ["10", "60", "110", "60"]
    assert [place["y"] for place in shapes(axis, "text")] == ["236"] * 3 + ["256"]
    assert [(drawn["class"], drawn["d"]) for drawn in shapes(axis, "path")] == [
        ("chance", "M60 20V220"),
        ("grid", "M110 20V220"),
    ]
    assert {place["y"] for place in shapes(x_axis(PLOT, ticks, above=True), "text")} == {"15"}


def test_the_vertical_axis_has_the_edge_that_it_stands_at():
    axis = y_axis(PLOT, [Tick(1, "1")], "name")
    assert [(drawn["class"], drawn["d"]) for drawn in shapes(axis, "path")] == [
        ("grid", "M10 20H110"),
        ("axis", "M10 20V220H110"),
    ]
    assert shapes(axis, "text")[1]["transform"] == "rotate(-90 -34 120)"


def test_shapes_are_drawn_where_their_values_are():
    assert shapes(line(PLOT, [0, 10], [0, 1], "k"), "polyline") == [{"class": "k", "points": "10,120 110,20"}]
    (band,) = shapes(area(PLOT, [0, 10], [-1, 0], [0, 1], "k"), "polygon")
    assert band["points"] == "10,120 110,20 110,120 10,220"
    (outline,) = shapes(bars(PLOT, [0, 5, 10], [1, 0.5], "k"), "path")
    assert outline["d"] == "M10 120L10 20L60 20L60 70L110 70L110 120Z"


def test_a_long_name_keeps_its_start():
    assert shortened("abcd", 4) == "abcd" and shortened("abcde", 4) == "abc…"


def test_a_file_brings_its_style_and_says_what_it_shows():
    root = ElementTree.fromstring(drawing_file(30, 20, "A <b> & 'c'", text(1, 2, "</svg>"), font_size=12))
    assert (root.get("viewBox"), root.get("width"), root.get("height")) == ("0 0 30 20", "30", "20")
    assert root.get("aria-label") == root.find(f"{SVG}title").text == "A <b> & 'c'"
    assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text
    assert root.find(f"{SVG}text").text == "</svg>"


def test_a_chart_takes_the_style_of_its_page():
    root = ElementTree.fromstring(chart(30, 20, 'A "b"', text(1, 2, "x")))
    assert root.attrib == {"viewBox": "0 0 30 20", "class": "chart", "role": "img", "aria-label": 'A "b"'}
    assert [child.tag for child in root] == ["text"]
