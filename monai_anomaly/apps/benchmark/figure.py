# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The figure of a benchmark: each method's AUROC with its interval and its seeds, as one SVG file."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from monai_anomaly.apps.benchmark.table import Method, Table
from monai_anomaly.report.svg import Plot, Tick, disc, drawing_file, element, joined, path, shortened, text, x_axis

__all__ = ["draw_figure"]

_WIDTH, _LEFT, _RIGHT = 860, 330, 90
_ROW, _TITLE, _TOP, _BOTTOM = 24, 44, 12, 96
_MARGIN, _LONGEST_NAME = 12, 48
_BASE_LINE = 4.5
"""From the middle of a row down to that of its text."""


def draw_figure(table: Table) -> str:
    """Return the file's text.

    Args:
        table: the numbers.
    """
    low = _lowest(table.methods)
    shapes, top = [], _TOP
    for data in table.data:
        methods = table.of(data)
        shapes.append(_panel(data, methods, top, low))
        top += _TITLE + _ROW * len(methods)
    about = "AUROC of each method on each data set, with 95 % intervals; the numbers are in table.md."
    return drawing_file(_WIDTH, top + _BOTTOM, about, *shapes, _legend(top + 50), font_size=13)


def _lowest(methods: Sequence[Method]) -> float:
    """Return the axis's start: a tenth, at or below all that is drawn and guessing."""
    values = [v for m in methods for v in (m.auroc, *(m.interval or ()), *m.seeds) if v is not None]
    return math.floor(10 * min([0.5, *values]) + 1e-9) / 10


def _panel(data: str, methods: Sequence[Method], top: float, low: float) -> Markup:
    """One data set: its name, an axis, a row for each method."""
    first = top + _TITLE - 6
    rows = Plot(
        _LEFT, first, _WIDTH - _RIGHT, first + _ROW * len(methods), x_range=(low, 1.0), y_range=(len(methods), 0)
    )
    tenths = range(round(10 * low), 11)
    ticks = [Tick(tenth / 10, f"{tenth / 10:.1f}", "chance" if tenth == 5 else "grid") for tenth in tenths]
    shapes = [text(_MARGIN, top + 18, data, "title"), x_axis(rows, ticks, above=True)]
    return joined([*shapes, *(_row(method, number, rows) for number, method in enumerate(methods))])


def _row(method: Method, number: int, rows: Plot) -> Markup:
    """Return a method's name, marks and value."""
    y = rows.y(number + 0.5)
    name = f"{method.name} (oracle)" if method.kind == "statistic" else method.name
    shown = text(_MARGIN, y + _BASE_LINE, shortened(name, _LONGEST_NAME), "strong")
    if method.auroc is None:
        return joined([shown, text(rows.left, y + _BASE_LINE, method.rows[0]["status"])])
    marks = []
    if method.interval:
        low, high = (rows.x(value) for value in method.interval)
        marks.append(path(f"M{low:.1f} {y:.1f}H{high:.1f}", f"{method.kind} interval"))
    if len(method.seeds) > 1:
        marks += [disc(rows.x(auroc), y, 5.5, f"{method.kind} seed") for auroc in method.seeds]
    marks.append(_mark(method.kind, rows.x(method.auroc), y))
    value = text(rows.right + 14, y + _BASE_LINE, f"{method.auroc:.3f}", "strong")
    return element("g", element("title", name), shown, *marks, value)


def _mark(kind: str, x: float, y: float) -> Markup:
    """Return a disc, a square or a hollow diamond: told apart without color, too."""
    if kind == "bundle":
        return disc(x, y, 4, kind)
    if kind == "baseline":
        return path(f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z", kind)
    return path(f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", kind)


def _legend(y: float) -> Markup:
    """Return what the marks are; the axis's name above."""
    entries = (
        ("bundle", "bundle, mean over seeds"),
        ("baseline", "simple baseline"),
        ("statistic", "best single statistic, chosen by test labels (oracle)"),
    )
    shapes = [text((_LEFT + _WIDTH - _RIGHT) / 2, y - 26, "ROC AUC; 0.5 is guessing", anchor="middle")]
    x = 20.0
    for kind, meaning in entries:
        shapes += [_mark(kind, x, y), text(x + 12, y + _BASE_LINE, meaning)]
        x += 36 + 7.0 * len(meaning)
    note = "Lines are 95 % intervals by a bootstrap over patients; rings are single seeds."
    return joined([*shapes, text(14, y + 26, note)])
