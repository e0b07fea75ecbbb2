# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The figure of a pool curve: AUROC against the share of abnormal images in the pool and against its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from monai_anomaly.apps.pool_curve.curve_table import CurvePoint
from monai_anomaly.report.svg import Plot, Tick, disc, drawing_file, joined, line, path, shortened, text, x_axis, y_axis

__all__ = ["draw_curve"]

_WIDTH, _LEFT, _GAP, _RIGHT = 900, 70, 86, 24
_HEIGHT, _TITLE, _FOOT = 230, 40, 56
_LEGEND_ROW, _LONGEST_NAME = 24, 60
_KINDS = 4
"""Colors and marks; the fifth method looks like the first."""


def draw_curve(points: Sequence[CurvePoint]) -> str:
    """Return the file's text.

    Args:
        points: the numbers.
    """
    done = [point for point in points if point.auroc is not None]
    methods = list(dict.fromkeys(point.method for point in points))
    shapes, top = [], 8.0
    for data in dict.fromkeys(point.data for point in points):
        shapes.append(_panel(data, [point for point in done if point.data == data], methods, top))
        top += _TITLE + _HEIGHT + _FOOT
    legend = _legend(methods, top + 14, guessing=bool(done) and _range(done)[0] <= 0.5)
    about = "AUROC against the share of abnormal images in a pool, and its size; the numbers are in table.md."
    height = top + 14 + _LEGEND_ROW * (len(methods) + 1)
    return drawing_file(_WIDTH, height, about, *shapes, legend, font_size=13)


def _panel(data: str, points: Sequence[CurvePoint], methods: Sequence[str], top: float) -> Markup:
    """One data set: its name, shares on the left, and sizes on the right where there are several."""
    shapes = [text(12, top + 18, shortened(data, _LONGEST_NAME), "title")]
    pooled = [point for point in points if point.share != "no pool"]
    if not pooled:
        return joined([*shapes, text(12, top + 44, "nothing is done")])
    sizes = sorted({point.size for point in pooled}, key=_order)
    shares = sorted({point.share for point in pooled}, key=_order)
    by_share = [point for point in pooled if point.size == sizes[-1]]
    by_size = [point for point in pooled if point.share == shares[-1]]
    middle = (_WIDTH - _GAP) * 0.62 if len(sizes) > 1 else _WIDTH - _RIGHT
    low, high = _range(points)
    first, last = top + _TITLE, top + _TITLE + _HEIGHT
    box = {"x_range": (0.0, 1.0), "y_range": (low, high)}
    alone = [point for point in points if point.share == "no pool"]
    plot = Plot(_LEFT, first, middle, last, **box)
    name = "share of abnormal images in the pool" + ("" if sizes[-1] == "all" else f" of {sizes[-1]}")
    shapes.append(_axes(plot, shares, name))
    shapes.append(_curves(plot, by_share, alone, methods, shares, lambda point: point.share))
    if len(sizes) > 1:
        plot = Plot(middle + _GAP, first, _WIDTH - _RIGHT, last, **box)
        what = "as it comes" if shares[-1] == "as it comes" else f"{shares[-1]} of them abnormal"
        shapes.append(_axes(plot, sizes, f"images in the pool, {what}"))
        shapes.append(_curves(plot, by_size, alone, methods, sizes, lambda point: point.size))
    return joined(shapes)


def _order(name: str) -> float:
    """Return the place of a share or a size: numbers by their value, then ``all`` and ``as it comes``."""
    try:
        return float(name)
    except ValueError:
        return math.inf


def _range(points: Sequence[CurvePoint]) -> tuple[float, float]:
    """Return tenths at or beyond all that is drawn."""
    values = [v for p in points for v in (p.auroc, *(p.interval or ())) if v is not None]
    return math.floor(10 * min(values) + 1e-9) / 10, math.ceil(10 * max(values) - 1e-9) / 10


def _place(number: int, count: int) -> float:
    """Return where a category lies between 0 and 1."""
    return (number + 0.5) / count


def _axes(plot: Plot, categories: Sequence[str], name: str) -> Markup:
    tenths = range(round(10 * plot.y_range[0]), round(10 * plot.y_range[1]) + 1)
    rows = [Tick(tenth / 10, f"{tenth / 10:.1f}", "chance" if tenth == 5 else "grid") for tenth in tenths]
    columns = [Tick(_place(i, len(categories)), label, None) for i, label in enumerate(categories)]
    return joined([x_axis(plot, columns, name), y_axis(plot, rows, "ROC AUC")])


def _curves(
    plot: Plot,
    points: Sequence[CurvePoint],
    alone: Sequence[CurvePoint],
    methods: Sequence[str],
    categories: Sequence[str],
    category: Callable[[CurvePoint], str],
) -> Markup:
    """Return each method's line with intervals, and its line without a pool."""
    shapes = []
    step = 0.16 / len(categories)
    for number, method in enumerate(methods):
        kind = f"method{number % _KINDS}"
        for point in alone:
            if point.method == method and point.auroc is not None:
                shapes.append(line(plot, plot.x_range, [point.auroc] * 2, f"{kind} alone"))
        aside = step * (number - (len(methods) - 1) / 2)
        places = {name: _place(i, len(categories)) + aside for i, name in enumerate(categories)}
        mine = sorted((p for p in points if p.method == method), key=lambda p: places[category(p)])
        shapes.append(line(plot, [places[category(p)] for p in mine], [p.auroc or 0.0 for p in mine], f"{kind} line"))
        for point in mine:
            x = plot.x(places[category(point)])
            if point.interval:
                ends = [plot.y(value) for value in point.interval]
                shapes.append(path(f"M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}", f"{kind} interval"))
            shapes.append(_mark(number, x, plot.y(point.auroc or 0.0)))
    return joined(shapes)


def _mark(number: int, x: float, y: float) -> Markup:
    """Return a disc, a square, a diamond or a triangle: told apart without color, too."""
    kind = number % _KINDS
    if kind == 0:
        return disc(x, y, 4, f"method{kind}")
    corners = {1: "m-4 -4h8v8h-8z", 2: "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z", 3: "m0 -5l5 9h-10z"}[kind]
    return path(f"M{x:.1f} {y:.1f}{corners}", f"method{kind}")


def _legend(methods: Sequence[str], y: float, *, guessing: bool) -> Markup:
    """Return what the marks and lines are."""
    shapes = []
    for number, method in enumerate(methods):
        kind = f"method{number % _KINDS}"
        shapes += [path(f"M20 {y:.1f}h36", f"{kind} line"), _mark(number, 38, y)]
        shapes += [text(66, y + 4.5, shortened(method, _LONGEST_NAME), "strong")]
        shapes += [path(f"M520 {y:.1f}h36", f"{kind} alone"), text(566, y + 4.5, "the same without a pool")]
        y += _LEGEND_ROW
    note = "Means over splits; vertical lines are 95 % intervals by a bootstrap over patients."
    note += " Dashed gray: guessing." if guessing else ""
    return joined([*shapes, text(20, y + 4.5, note)])
