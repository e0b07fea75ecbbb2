# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The losses of a training as curves over its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from monai_anomaly.report.svg import (
    Plot,
    Tick,
    decades,
    disc,
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

__all__ = ["draw_losses"]

_LOG_FROM = 100.0
_MOST_DOTS = 40
_LONGEST_NAME = 24
_COLUMNS, _PANEL_WIDTH, _PANEL_HEIGHT = 2, 430, 240
_BOX = (70, 42, _PANEL_WIDTH - 22, _PANEL_HEIGHT - 42)
"""Left, top, right and bottom of a panel's curve."""
_TITLE_LINE = 24


def draw_losses(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> str:
    """Return the text of an SVG file with one panel for each name.

    An axis is logarithmic where all values are positive and the largest is more than 100 times the smallest.

    Args:
        rows: the numbers of each epoch, with ``epoch``; a number may be missing or NaN, and is then passed over.
        names: what to draw.
    """
    last = max((row["epoch"] for row in rows), default=1.0)
    width, height = _COLUMNS * _PANEL_WIDTH, max(1, math.ceil(len(names) / _COLUMNS)) * _PANEL_HEIGHT
    panels = [
        element("g", _panel(name, _points(rows, name), last), transform=_place(number))
        for number, name in enumerate(names)
    ]
    about = f"Losses over {last:g} epochs: {', '.join(names)}; the numbers are in losses.csv."
    return drawing_file(width, height, about, *panels, font_size=12)


def _place(number: int) -> str:
    row, column = divmod(number, _COLUMNS)
    return f"translate({column * _PANEL_WIDTH} {row * _PANEL_HEIGHT})"


def _points(rows: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]


def _panel(name: str, points: Sequence[tuple[float, float]], last: float) -> Markup:
    """Return a loss: its name and latest value, the axes and the curve."""
    left, top, right, _ = _BOX
    title = [element("title", name), text(left, _TITLE_LINE, shortened(name, _LONGEST_NAME), "title")]
    if not points:
        return joined([*title, text(left, top + 20, "no values")])
    epochs, values = zip(*points, strict=True)
    log = min(values) > 0 and max(values) > _LOG_FROM * min(values)
    shown = [math.log10(value) if log else value for value in values]
    latest = f"{'log scale, ' if log else ''}last {values[-1]:.4g}"
    return joined(
        [
            *title,
            text(right, _TITLE_LINE, latest, "strong", anchor="end"),
            _curve(epochs, shown, max(last, 2.0), log=log),
        ]
    )


def _curve(epochs: Sequence[float], shown: Sequence[float], last: float, *, log: bool) -> Markup:
    """Return the axes and a line; dots as well where there are few values, as there may be gaps between them."""
    low, high = min(shown), max(shown)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    plot = Plot(*_BOX, x_range=(1.0, last), y_range=(low - room, high + room))
    numbers = decades(low, high) if log else [Tick(value, f"{value:g}") for value in round_values(*plot.y_range)]
    whole = [Tick(epoch, f"{epoch:g}", None) for epoch in round_values(1, last) if epoch.is_integer()]
    few = len(epochs) <= _MOST_DOTS
    dots = [disc(plot.x(epoch), plot.y(value), 2.5, "dot") for epoch, value in zip(epochs, shown, strict=True) if few]
    return joined([y_axis(plot, numbers), x_axis(plot, whole, "epoch"), line(plot, epochs, shown, "loss"), *dots])
