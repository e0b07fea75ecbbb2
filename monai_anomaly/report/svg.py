# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What every drawing is made of: scales, ticks, axes and shapes as SVG.

Drawn by hand because SVG takes the colors of its reader, light or dark, and stays text for a screen reader; a
matplotlib figure does neither, and would be our only use of matplotlib. Colors and strokes are in
``templates/colors.css.jinja`` and ``templates/drawing.css.jinja``, by the kind (the class) of a shape.

:func:`element` is the only place that makes markup: it escapes every text and every value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from monai_anomaly.report.rendering import render

__all__ = [
    "Plot",
    "Tick",
    "area",
    "bars",
    "chart",
    "decades",
    "disc",
    "drawing_file",
    "element",
    "joined",
    "line",
    "path",
    "round_values",
    "shortened",
    "text",
    "x_axis",
    "y_axis",
]

Values = Sequence[float] | npt.NDArray[np.float64]


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """Return an element; texts and the values of attributes are escaped, children that are elements are not.

    Args:
        tag: its name.
        children: texts and elements inside.
        attributes: by name, with ``_`` for ``-`` and one more ``_`` at the end of a word of Python (``class_``); None
            leaves one out.
    """
    given = joined(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), value)
        for name, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup("<{}{}/>").format(tag, given)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, given, joined(children))


def joined(parts: Iterable[str]) -> Markup:
    """Return elements one after the other; what is no element is escaped."""
    return Markup("").join(parts)


@dataclass(frozen=True)
class Plot:
    """A rectangle in pixels, and the values at its edges.

    Args:
        left: edge, as the next three.
        top: lower number than the bottom's.
        right: edge.
        bottom: edge.
        x_range: values at the left and the right edge.
        y_range: values at the bottom and the top edge.
    """

    left: float
    top: float
    right: float
    bottom: float
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        low, high = self.y_range
        return self.bottom + (value - low) / (high - low) * (self.top - self.bottom)

    def places(self, horizontal: Values, vertical: Values) -> str:
        """Return values as the points of a line."""
        pairs = zip(horizontal, vertical, strict=True)
        return " ".join(f"{_px(self.x(a))},{_px(self.y(b))}" for a, b in pairs)


class Tick(NamedTuple):
    """A number at an axis, and the kind of the line from it across the plot; None draws none."""

    value: float
    text: str
    kind: str | None = "grid"


def round_values(low: float, high: float, at_most: int = 5) -> list[float]:
    """Round values in a range, in steps of 1, 2 or 5 times a power of ten.

    >>> round_values(0.0, 1.2)
    [0.0, 0.5, 1.0]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power) if (high - low) / s <= at_most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def decades(low: float, high: float, at_most: int = 5) -> list[Tick]:
    """Powers of ten in a range of logarithms, evenly spaced.

    >>> [tick.text for tick in decades(-1.3, 2.0)]
    ['0.1', '1', '10', '100']
    """
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    step = -(-(last - first + 1) // at_most)
    return [Tick(float(i), f"{10.0**i:g}") for i in range(first, last + 1, step)]


def x_axis(plot: Plot, ticks: Iterable[Tick], name: str = "", *, above: bool = False) -> Markup:
    """Return vertical lines, numbers and a name below the plot.

    Args:
        plot: where.
        ticks: the numbers.
        name: what they are of.
        above: put the numbers above the plot.
    """
    shapes = []
    for tick in ticks:
        x = plot.x(tick.value)
        if tick.kind is not None:
            shapes.append(path(f"M{_px(x)} {_px(plot.top)}V{_px(plot.bottom)}", tick.kind))
        shapes.append(text(x, plot.top - 5 if above else plot.bottom + 16, tick.text, anchor="middle"))
    if name:
        shapes.append(text((plot.left + plot.right) / 2, plot.bottom + 36, name, anchor="middle"))
    return joined(shapes)


def y_axis(plot: Plot, ticks: Iterable[Tick], name: str = "") -> Markup:
    """Return horizontal lines, numbers and a name left of the plot, and the edge that they stand at."""
    shapes = []
    for tick in ticks:
        y = plot.y(tick.value)
        if tick.kind is not None:
            shapes.append(path(f"M{_px(plot.left)} {_px(y)}H{_px(plot.right)}", tick.kind))
        shapes.append(text(plot.left - 6, y + 4, tick.text, anchor="end"))
    if name:
        x, y = plot.left - 44, (plot.top + plot.bottom) / 2
        shapes.append(text(x, y, name, anchor="middle", transform=f"rotate(-90 {_px(x)} {_px(y)})"))
    edge = f"M{_px(plot.left)} {_px(plot.top)}V{_px(plot.bottom)}H{_px(plot.right)}"
    return joined([*shapes, path(edge, "axis")])


def line(plot: Plot, horizontal: Values, vertical: Values, kind: str) -> Markup:
    """Return a line through values."""
    return element("polyline", class_=kind, points=plot.places(horizontal, vertical))


def area(plot: Plot, horizontal: Values, lower: Values, upper: Values, kind: str) -> Markup:
    """Return what is between two lines."""
    there, back = plot.places(horizontal, upper), plot.places(horizontal[::-1], lower[::-1])
    return element("polygon", class_=kind, points=f"{there} {back}")


def bars(plot: Plot, edges: Values, heights: Values, kind: str) -> Markup:
    """Return the outline of bars side by side.

    Args:
        plot: where.
        edges: values where bars begin and end, shape ``(N + 1,)``.
        heights: shape ``(N,)``.
        kind: class.
    """
    floor = _px(plot.y(0))
    steps = "".join(
        f"L{_px(plot.x(left))} {_px(plot.y(height))}L{_px(plot.x(right))} {_px(plot.y(height))}"
        for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True)
    )
    return path(f"M{_px(plot.x(edges[0]))} {floor}{steps}L{_px(plot.x(edges[-1]))} {floor}Z", kind)


def path(steps: str, kind: str) -> Markup:
    """Return a path, its steps in pixels."""
    return element("path", class_=kind, d=steps)


def disc(x: float, y: float, radius: float, kind: str) -> Markup:
    """Return a circle at a place in pixels."""
    return element("circle", class_=kind, cx=_px(x), cy=_px(y), r=radius)


def text(
    x: float,
    y: float,
    content: str,
    kind: str | None = None,
    *,
    anchor: str | None = None,
    transform: str | None = None,
) -> Markup:
    """Return a text at a place in pixels.

    Args:
        x: where it starts, has its middle or ends.
        y: its base line.
        content: what it says.
        kind: class; None for quiet words, ``"strong"`` for those to read first, ``"title"``.
        anchor: what of it is at ``x``: ``"middle"`` or ``"end"``; None for its start.
        transform: turns it.
    """
    return element("text", content, class_=kind, x=_px(x), y=_px(y), text_anchor=anchor, transform=transform)


def shortened(name: str, longest: int) -> str:
    """Return a name that has room: its start, where it is too long."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def chart(width: float, height: float, about: str, *shapes: Markup) -> Markup:
    """Return a drawing inside a page, which brings the style.

    Args:
        width: of the drawing's own pixels; the page gives it its size.
        height: as width.
        about: what a screen reader says.
        shapes: what is drawn.
    """
    size = {"viewBox": f"0 0 {width} {height}"}
    return element("svg", *shapes, class_="chart", **size, role="img", aria_label=about)


def drawing_file(width: float, height: float, about: str, *shapes: Markup, font_size: float) -> str:
    """Return the text of an SVG file.

    Args:
        width: in pixels.
        height: in pixels.
        about: what a screen reader and a tooltip say.
        shapes: what is drawn.
        font_size: of its texts, in pixels.
    """
    values = {"width": width, "height": height, "about": about, "font_size": font_size}
    return render("drawing.svg.jinja", shapes=joined(shapes), **values)


def _px(pixels: float) -> str:
    return f"{pixels:.1f}".removesuffix(".0")
