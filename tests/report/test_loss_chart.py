# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from monai_anomaly.report.loss_chart import draw_losses

SVG = "{http://www.w3.org/2000/svg}"


def panels(svg):
    return ElementTree.fromstring(svg).findall(f"{SVG}g")


def texts(panel):
    return [element.text for element in panel.iter(f"{SVG}text")]


def places(panel):
    return [tuple(map(float, p.split(","))) for p in panel.find(f"{SVG}polyline").get("points").split()]


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1.0, 0.009], True),
        ([1.0, 0.011], False),
        ([1e-9, 1.0, 1e3], True),
        ([0.0, 1000.0], False),
        ([-1.0, 1000.0], False),
    ],
)
def test_wide_ranges_are_logarithmic(values, log):
    rows = [{"epoch": float(n), "loss": value} for n, value in enumerate(values, 1)]
    (panel,) = panels(draw_losses(rows, ["loss"]))
    assert texts(panel)[1].startswith("log scale") is log
    heights = [-y for _, y in places(panel)]
    scaled = [math.log10(value) for value in values] if log else values
    factor = (heights[-1] - heights[0]) / (scaled[-1] - scaled[0])
    for height, value in zip(heights, scaled, strict=True):
        assert height - heights[0] == pytest.approx(factor * (value - scaled[0]), abs=0.11)


@pytest.mark.parametrize(
    "values", [[0.3], [0.0], [2.0, 2.0, 2.0], [-5.0], [1e-12, 1e-12], [1e30, -1e30], [1e-30, 1e30]]
)
def test_whatever_the_values_all_is_drawn_inside_the_panel(values):
    rows = [{"epoch": float(n), "loss": value} for n, value in enumerate(values, 1)]
    (panel,) = panels(draw_losses(rows, ["loss"]))
    for x, y in places(panel):
        assert 70 <= x <= 408 and 42 <= y <= 198
    for text in panel.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= 430 and 0 <= float(text.get("y")) <= 240
    assert (
        1 <= sum(text.get("text-anchor") == "end" for text in panel.iter(f"{SVG}text")) - 1 <= 6
    )  # numbers of the axis


def test_values_that_are_no_numbers_are_passed_over():
    rows = [{"epoch": float(n), "loss": v} for n, v in enumerate([1.0, math.nan, math.inf, 2.0], 1)] + [{"epoch": 5.0}]
    (panel,) = panels(draw_losses(rows, ["loss"]))
    assert len(places(panel)) == 2
    (empty,) = panels(draw_losses([{"epoch": 1.0, "loss": math.nan}], ["loss"]))
    assert texts(empty) == ["loss", "no values"]


def test_a_long_run_has_no_dots_and_whole_epochs_below():
    rows = [{"epoch": float(n), "loss": 1 / n} for n in range(1, 1001)]
    (panel,) = panels(draw_losses(rows, ["loss"]))
    assert not list(panel.iter(f"{SVG}circle")) and len(places(panel)) == 1000
    assert {"200", "1000"} <= set(texts(panel))


def test_names_are_escaped_and_panels_lie_side_by_side():
    name = """</svg><b a='1'>&"{}"""
    svg = draw_losses([{"epoch": 1.0, name: 1.0, "b": 1.0, "c": 1.0}], [name, "b", "c"])
    drawn = panels(svg)
    assert texts(drawn[0])[0] == drawn[0].find(f"{SVG}title").text == name
    assert name in ElementTree.fromstring(svg).get("aria-label")
    assert [panel.get("transform") for panel in drawn] == ["translate(0 0)", "translate(430 0)", "translate(0 240)"]


def test_a_long_name_is_cut_short_and_told_in_the_tooltip():
    name = "reconstruction_of_the_student"
    (panel,) = panels(draw_losses([{"epoch": 1.0, name: 1.0}], [name]))
    assert texts(panel)[0] == "reconstruction_of_the_s…" and panel.find(f"{SVG}title").text == name
