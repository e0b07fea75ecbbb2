# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The charts of a report as inline SVG.

Drawn by hand because inline SVG takes the page's colors, light or dark, and stays text for a screen reader; a
matplotlib figure does neither, and would be our only use of matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

__all__ = ["histogram_svg", "roc_svg"]

_SIZE = 320
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 12, 12, 44
_WIDTH, _HEIGHT = _SIZE - _LEFT - _RIGHT, _SIZE - _TOP - _BOTTOM


def roc_svg(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    auroc: float,
    band: Mapping[str, Any] | None = None,
) -> str:
    """Return the ROC curve of both classes' scores.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: shape ``(N,)``.
        auroc: area under the curve, for the description.
        band: what :func:`monai_anomaly.metrics.operating_points.roc_band` gives; None, or one that has no ``lower``
            and ``upper``, draws no band.
    """
    false_alarms, sensitivity, _ = roc_curve(labels, scores)
    ticks = [(value, f"{value:.1f}") for value in np.linspace(0, 1, 6)]
    x, y = _axis(0, 1, _LEFT, _LEFT + _WIDTH), _axis(0, 1, _TOP + _HEIGHT, _TOP)
    body = f'<polyline class="chance" points="{_points([0, 1], [0, 1], x, y)}"/>'
    text = f"ROC curve, area under the curve {auroc:.3f}; the dashed diagonal is guessing."
    if band is not None and band["lower"] is not None:
        rates = list(band["false_alarm_rate"])
        outline = _points(rates + rates[::-1], [*band["upper"], *list(band["lower"])[::-1]], x, y)
        body = f'<polygon class="band" points="{outline}"/>' + body
        text += " The shaded band is the 95 % interval of the sensitivity at each false-alarm rate."
    body += f'<polyline class="curve" points="{_points(false_alarms, sensitivity, x, y)}"/>'
    frame = _frame("False-alarm rate (1 - specificity)", "Sensitivity", [(x(v), t) for v, t in ticks], y, ticks)
    return _svg(text, frame + body)


def histogram_svg(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    thresholds: Mapping[str, float] | None = None,
) -> str:
    """How the scores of each class are spread, as the share of the class in each bin.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: shape ``(N,)``.
        thresholds: scores to mark with a line, by the false-alarm rate; the axis reaches as far as they do.
    """
    marks = dict(thresholds or {})
    low, high = float(scores.min()), float(scores.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all equal: one bar in the middle
        low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    n_bins = int(np.clip(2 * np.cbrt(len(scores)), 8, 40))  # Rice's rule, within what the eye can use
    edges = np.linspace(low, high, n_bins + 1)
    low, high = min([low, *marks.values()]), max([high, *marks.values()])
    shares = [np.histogram(scores[labels == c], edges)[0] / max(1, int((labels == c).sum())) for c in (0, 1)]
    top = float(np.max(shares))
    room = 1.05 + 0.09 * len(marks)  # above the bars, for the names of the lines
    x, y = _axis(low, high, _LEFT, _LEFT + _WIDTH), _axis(0, top * room, _TOP + _HEIGHT, _TOP)
    body = "".join(
        f'<path class="{name}" d="{_steps(edges, share, x, y)}"/>'
        for name, share in zip(("normal", "abnormal"), shares, strict=True)
    )
    body += _marks(marks, x)
    y_ticks = [(v, f"{100 * v:g} %") for v in _nice_ticks(0, top)]
    x_ticks = [(x(v), f"{v:g}") for v in _nice_ticks(low, high)]
    counts = [int((labels == c).sum()) for c in (0, 1)]
    text = f"Histogram of the image scores of {counts[0]} normal and {counts[1]} abnormal images."
    text += "".join(f" Threshold for {label} false alarms at {value:.4g}." for label, value in marks.items())
    return _svg(text, _frame("Image score", "Share of the class", x_ticks, y, y_ticks) + body)


def _marks(marks: Mapping[str, float], x: Callable[[float], float]) -> str:
    """Return a line from the axis to its name for each value.

    Each name has a row of its own. All are right of their lines, the lowest value on top, or all left of them, the
    highest on top: so no line crosses a name.
    """
    left = max(map(x, marks.values()), default=0.0) > _LEFT + _WIDTH - 40
    parts = []
    for row, (label, value) in enumerate(sorted(marks.items(), key=lambda mark: -mark[1] if left else mark[1])):
        position, text_y = x(value), _TOP + 10 + 13 * row
        side = f'x="{position - 3:.1f}" text-anchor="end"' if left else f'x="{position + 3:.1f}" text-anchor="start"'
        parts.append(
            f'<path class="threshold" d="M{position:.1f} {text_y - 9}V{_TOP + _HEIGHT}"/>'
            f'<text class="threshold" {side} y="{text_y}">{escape(label)}</text>'
        )
    return "".join(parts)


def _points(
    horizontal: Sequence[float] | npt.NDArray[np.float64],
    vertical: Sequence[float] | npt.NDArray[np.float64],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    return " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(horizontal, vertical, strict=True))


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Map values to pixels."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _nice_ticks(low: float, high: float, at_most: int = 5) -> list[float]:
    """Round values in the range, in steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10((high - low) / at_most))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power) if (high - low) / s <= at_most)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _steps(
    edges: npt.NDArray[np.float64], share: npt.NDArray[np.float64], x: Callable[[float], float], y: Callable
) -> str:
    path = f"M{x(edges[0]):.1f} {y(0):.1f}"
    for left, right, value in zip(edges[:-1], edges[1:], share, strict=True):
        path += f"L{x(left):.1f} {y(value):.1f}L{x(right):.1f} {y(value):.1f}"
    return path + f"L{x(edges[-1]):.1f} {y(0):.1f}Z"


def _frame(
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]],
    y: Callable[[float], float],
    y_ticks: Sequence[tuple[float, str]],
) -> str:
    """Axes with grid lines, numbers and names."""
    bottom, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
    for position, text in x_ticks:
        parts.append(f'<path class="grid" d="M{position:.1f} {_TOP}V{bottom}"/>')
        parts.append(f'<text x="{position:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>')
    for value, text in y_ticks:
        parts.append(f'<path class="grid" d="M{_LEFT} {y(value):.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    middle_x, middle_y = _LEFT + _WIDTH / 2, _TOP + _HEIGHT / 2
    parts.append(f'<text x="{middle_x:.0f}" y="{_SIZE - 8}" text-anchor="middle">{escape(x_label)}</text>')
    turn = f'transform="rotate(-90 12 {middle_y:.0f})"'
    parts.append(f'<text x="12" y="{middle_y:.0f}" text-anchor="middle" {turn}>{escape(y_label)}</text>')
    return "".join(parts)


def _svg(description: str, body: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{escape(description)}">{body}</svg>'
    )
