# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The charts of an evaluation: the ROC curve, and how the scores of each class are spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from sklearn.metrics import roc_curve

from monai_anomaly.report.svg import (
    Plot,
    Tick,
    area,
    bars,
    chart,
    joined,
    line,
    path,
    round_values,
    text,
    x_axis,
    y_axis,
)

__all__ = ["histogram_chart", "roc_chart"]

_SIZE = 320
_BOX = (56, 12, _SIZE - 12, _SIZE - 44)
"""Left, top, right and bottom of what is drawn in."""

_ROW, _NAME_ROOM = 13, 40
"""Pixels for the name of a threshold: down and across."""


def roc_chart(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    auroc: float,
    band: Mapping[str, Any] | None = None,
) -> Markup:
    """Return the ROC curve of both classes' scores.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: shape ``(N,)``.
        auroc: area under the curve, for the description.
        band: what :func:`monai_anomaly.metrics.operating_points.roc_band` gives; None, or one that has no ``lower``
            and ``upper``, draws no band.
    """
    plot = Plot(*_BOX)
    ticks = [Tick(value, f"{value:.1f}") for value in np.linspace(0, 1, 6)]
    shapes = [x_axis(plot, ticks, "False-alarm rate (1 - specificity)"), y_axis(plot, ticks, "Sensitivity")]
    about = f"ROC curve, area under the curve {auroc:.3f}; the dashed diagonal is guessing."
    if band is not None and band["lower"] is not None:
        shapes.append(area(plot, band["false_alarm_rate"], band["lower"], band["upper"], "band"))
        about += " The shaded band is the 95 % interval of the sensitivity at each false-alarm rate."
    false_alarms, sensitivity, _ = roc_curve(labels, scores)
    shapes += [line(plot, [0, 1], [0, 1], "chance"), line(plot, false_alarms, sensitivity, "curve")]
    return chart(_SIZE, _SIZE, about, *shapes)


def histogram_chart(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    thresholds: Mapping[str, float] | None = None,
) -> Markup:
    """Return how the scores of each class are spread, as the share of the class in each bin.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: shape ``(N,)``.
        thresholds: scores to mark with a line, by the false-alarm rate; the axis reaches as far as they do.
    """
    marks = dict(thresholds or {})
    edges = _bin_edges(scores)
    low, high = min([edges[0], *marks.values()]), max([edges[-1], *marks.values()])
    counts = [int((labels == label).sum()) for label in (0, 1)]
    shares = [np.histogram(scores[labels == label], edges)[0] / max(1, counts[label]) for label in (0, 1)]
    top = float(np.max(shares))
    room = 1.05 + 0.09 * len(marks)  # above the bars, for the names of the lines
    plot = Plot(*_BOX, x_range=(low, high), y_range=(0, top * room))
    shapes = [
        x_axis(plot, [Tick(value, f"{value:g}") for value in round_values(low, high)], "Image score"),
        y_axis(plot, [Tick(value, f"{100 * value:g} %") for value in round_values(0, top)], "Share of the class"),
        bars(plot, edges, shares[0], "normal"),
        bars(plot, edges, shares[1], "abnormal"),
        _marks(plot, marks),
    ]
    about = f"Histogram of the image scores of {counts[0]} normal and {counts[1]} abnormal images."
    about += "".join(f" Threshold for {label} false alarms at {value:.4g}." for label, value in marks.items())
    return chart(_SIZE, _SIZE, about, *shapes)


def _bin_edges(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = float(scores.min()), float(scores.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all equal: one bar in the middle
        low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    n_bins = int(np.clip(2 * np.cbrt(len(scores)), 8, 40))  # Rice's rule, within what the eye can use
    return np.linspace(low, high, n_bins + 1)


def _marks(plot: Plot, marks: Mapping[str, float]) -> Markup:
    """Return a line from the axis to its name for each value.

    Each name has a row of its own. All are right of their lines, the lowest value on top, or all left of them, the
    highest on top: so no line crosses a name.
    """
    left = max(map(plot.x, marks.values()), default=0.0) > plot.right - _NAME_ROOM
    shapes = []
    for row, (name, value) in enumerate(sorted(marks.items(), key=lambda mark: -mark[1] if left else mark[1])):
        x, y = plot.x(value), plot.top + 10 + _ROW * row
        shapes.append(path(f"M{x:.1f} {y - 9}V{plot.bottom}", "threshold"))
        shapes.append(text(x - 3, y, name, "threshold", anchor="end") if left else text(x + 3, y, name, "threshold"))
    return joined(shapes)
