# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The charts of an evaluation: the ROC curve, and how the scores of each class are spread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from sklearn.metrics import roc_curve

from monai_anomaly.report.score_bins import ScoreBins
from monai_anomaly.report.svg import (
    Plot,
    Tick,
    area,
    bars,
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

__all__ = ["histogram_chart", "roc_chart"]

_SIZE = 320
_BOX = (56, 12, _SIZE - 12, _SIZE - 44)
"""Left, top, right and bottom of what is drawn in."""

CLASSES = ("normal", "abnormal")

_ROW, _NAME_ROOM = 13, 40
"""Pixels for the name of a threshold: down and across."""


def roc_chart(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    auroc: float,
    band: Mapping[str, Any] | None = None,
    point: tuple[float, float] | None = None,
) -> Markup:
    """Return the ROC curve of both classes' scores.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: shape ``(N,)``.
        auroc: area under the curve, for the description.
        band: what :func:`monai_anomaly.metrics.operating_points.roc_band` gives; None, or one that has no ``lower``
            and ``upper``, draws no band.
        point: false-alarm rate and sensitivity of the threshold in use, to mark; None marks none.
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
    if point is not None:
        shapes.append(disc(plot.x(point[0]), plot.y(point[1]), 5, "point"))
        about += f" The point is the calibrated threshold: false-alarm rate {point[0]:.3f}, sensitivity {point[1]:.3f}."
    return chart(_SIZE, _SIZE, about, *shapes)


def histogram_chart(bins: ScoreBins, thresholds: Mapping[str, float] | None = None) -> Markup:
    """Return how the scores of each class are spread, as the share of the class in each bin.

    Args:
        bins: the scores, and the axis.
        thresholds: scores to mark with a line, by the false-alarm rate.
    """
    marks = dict(thresholds or {})
    shares = bins.shares
    top = float(shares.max())
    room = 1.05 + 0.09 * len(marks)  # above the bars, for the names of the lines
    plot = Plot(*_BOX, x_range=(float(bins.edges[0]), float(bins.edges[-1])), y_range=(0, top * room))
    shapes = [
        x_axis(plot, _score_ticks(plot, bins), "Image score"),
        y_axis(plot, [Tick(value, f"{100 * value:g} %") for value in round_values(0, top)], "Share of the class"),
        *(bars(plot, bins.edges, share, kind) for kind, share in zip(CLASSES, shares, strict=True) if share.any()),
        _marks(plot, {name: bins.place(value) for name, value in marks.items()}),
    ]
    counts, beyond = bins.counts.sum(axis=1), bins.beyond
    about = f"Histogram of the image scores of {counts[0]} normal and {counts[1]} abnormal images."
    about += f" {beyond.n_low} are below {bins.low:.4g}, in one bar." if beyond.n_low else ""
    about += f" {beyond.n_high} are above {bins.high:.4g}, in one bar." if beyond.n_high else ""
    about += "".join(f" Threshold for {label} false alarms at {value:.4g}." for label, value in marks.items())
    return chart(_SIZE, _SIZE, about, *shapes)


def _score_ticks(plot: Plot, bins: ScoreBins) -> list[Tick]:
    """Return round scores, and what the bars at the ends stand for, with room around it."""
    ends = [
        Tick(bins.place(value), f"{sign}{edge:.3g}", None)
        for value, sign, edge, is_shown in (
            (-math.inf, "<", bins.low, bins.edges[0] < bins.low),
            (math.inf, ">", bins.high, bins.edges[-1] > bins.high),
        )
        if is_shown
    ]
    rounds = [Tick(value, f"{value:g}") for value in round_values(bins.low, bins.high)]
    far = [t for t in rounds if all(abs(plot.x(t.value) - plot.x(end.value)) > _NAME_ROOM for end in ends)]
    return far + ends


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
