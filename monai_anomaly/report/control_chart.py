# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Control charts: a statistic of a period's windows, with what it was before and its limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from monai_anomaly.report.svg import (
    Plot,
    Tick,
    area,
    chart,
    disc,
    joined,
    line,
    path,
    round_values,
    text,
    x_axis,
    y_axis,
)

__all__ = ["Point", "control_chart", "distribution_chart"]

Floats = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 420, 250
_BOX = (64, 14, _WIDTH - 14, _HEIGHT - 44)
"""Left, top, right and bottom of what is drawn in."""


@dataclass(frozen=True)
class Point:
    """A window.

    Args:
        first: number of its first patient, from 1.
        last: of its last one.
        value: its share or median; NaN where there is none.
        low: lower limit; minus infinity for none.
        high: upper limit; infinity for none.
        spread: quarter and three quarters of its values; None for a share.
        alarms: whether it is out of control.
    """

    first: int
    last: int
    value: float
    low: float
    high: float
    spread: tuple[float, float] | None
    alarms: bool


def control_chart(
    name: str, points: Sequence[Point], reference: float, usual: tuple[float, float] | None, *, percent: bool
) -> Markup:
    """Return the chart of a statistic.

    Args:
        name: what it is.
        points: the windows, in order.
        reference: its share or median in the reference.
        usual: quarter and three quarters of the reference's values; None for a share.
        percent: whether it is a share.
    """
    plot = Plot(*_BOX, x_range=(0.0, float(points[-1].last)), y_range=_range(points, reference, usual))
    write: Callable[[float], str] = (lambda value: f"{100 * value:g} %") if percent else (lambda value: f"{value:g}")
    ticks = [Tick(value, write(value)) for value in round_values(*plot.y_range)]
    shapes = [
        x_axis(plot, [Tick(value, f"{value:g}") for value in round_values(*plot.x_range)], "Patients, in order"),
        y_axis(plot, ticks),
    ]
    if usual is not None:
        shapes.append(area(plot, plot.x_range, [usual[0]] * 2, [usual[1]] * 2, "band"))
    shapes.append(line(plot, plot.x_range, [reference] * 2, "chance"))
    shapes += [_limits(plot, points), *(_window(plot, point) for point in points if math.isfinite(point.value))]
    n_alarms = sum(point.alarms for point in points)
    about = f"{name} in {len(points)} windows; {write(float(f'{reference:.3g}'))} in the reference."
    return chart(_WIDTH, _HEIGHT, f"{about} {n_alarms} windows alarm.", *shapes)


def distribution_chart(name: str, period: Floats, reference: Floats) -> Markup:
    """Return the cumulative distributions of p-values, with the diagonal on which those of normal images lie.

    Args:
        name: what they are of.
        period: ``(n,)``, in [0, 1].
        reference: ``(N,)``, in [0, 1].
    """
    plot = Plot(*_BOX)
    x_ticks = [Tick(value, f"{value:.1f}") for value in np.linspace(0, 1, 6)]
    y_ticks = [Tick(value, f"{100 * value:g} %") for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    shapes = [x_axis(plot, x_ticks, name), y_axis(plot, y_ticks), line(plot, [0, 1], [0, 1], "chance")]
    shapes += [_steps(plot, reference, "curve"), _steps(plot, period, "loss")]
    for row, legend in enumerate(("blue: period", "thick: reference", "dashed: uniform")):
        shapes.append(text(plot.right - 8, plot.bottom - 42 + 15 * row, legend, anchor="end"))
    about = f"Cumulative distribution of {len(period)} p-values of the period and {len(reference)} of the reference."
    return chart(_WIDTH, _HEIGHT, about, *shapes)


def _range(points: Sequence[Point], reference: float, usual: tuple[float, float] | None) -> tuple[float, float]:
    """Return what the axis shows: all values, and limits where they are not far beyond."""
    values = [reference, *(usual or ())]
    for point in points:
        values += [point.value, point.low, point.high, *(point.spread or ())]
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known), max(known)
    margin = 0.06 * (high - low) or 0.06 * max(abs(high), 1e-3)
    return low - margin if usual is not None else max(low - margin, -margin), high + margin


def _limits(plot: Plot, points: Sequence[Point]) -> Markup:
    shapes = []
    for point in points:
        left, right = plot.x(point.first - 1), plot.x(point.last)
        for limit in (point.low, point.high):
            if math.isfinite(limit):
                shapes.append(path(f"M{left:.1f} {plot.y(limit):.1f}H{right:.1f}", "threshold"))
    return joined(shapes)


def _window(plot: Plot, point: Point) -> Markup:
    x, y = plot.x((point.first - 1 + point.last) / 2), plot.y(point.value)
    shapes = []
    if point.spread is not None:
        shapes.append(path(f"M{x:.1f} {plot.y(point.spread[0]):.1f}V{plot.y(point.spread[1]):.1f}", "bundle interval"))
    if point.alarms:  # another shape, too: colors are not all that tells them apart
        shapes.append(path(f"M{x:.1f} {y - 8:.1f}L{x + 7:.1f} {y + 5:.1f}H{x - 7:.1f}Z", "alarm"))
    else:
        shapes.append(disc(x, y, 4, "dot"))
    return joined(shapes)


def _steps(plot: Plot, values: Floats, kind: str) -> Markup:
    """Return the cumulative distribution of values as a line of steps."""
    places, counts = np.unique(values, return_counts=True)
    shares = np.cumsum(counts) / len(values)
    horizontal = np.concatenate([[0.0], np.repeat(places, 2), [1.0]])
    vertical = np.repeat(np.concatenate([[0.0], shares]), 2)
    return line(plot, horizontal, vertical, kind)
