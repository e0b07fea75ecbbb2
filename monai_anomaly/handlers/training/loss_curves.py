# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The losses of a training as curves over its epochs, and as a table."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.metric_history import MetricHistory
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["LossCurves", "draw_losses"]

logger = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, float]]

_NOT_LOSSES = frozenset({"epoch", "iteration"})
_LOG_FROM = 100.0
_MOST_DOTS = 40
_LONGEST_NAME = 24
_COLUMNS, _PANEL_WIDTH, _PANEL_HEIGHT = 2, 430, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 22, 42, 42
_STYLE = """
svg { --page: #ffffff; --text: #1c1f23; --quiet: #5a6270; --line: #d4d8de; --curve: #1f6fb5; }
@media (prefers-color-scheme: dark) { svg { --page: #14171b; --text: #e8eaed; --quiet: #a2abb8; --line: #39414b;
  --curve: #6cb2f2; } }
text { font: 12px system-ui, sans-serif; fill: var(--quiet); } .title { font-weight: 600; font-size: 14px; }
.title, .last { fill: var(--text); } .page { fill: var(--page); } .grid { stroke: var(--line); }
.axis { fill: none; stroke: var(--quiet); } .dot { fill: var(--curve); }
.curve { fill: none; stroke: var(--curve); stroke-width: 1.75; stroke-linejoin: round; }
"""


class LossCurves:
    """Draws ``loss_curves.svg`` and writes ``losses.csv``, each epoch's mean of each loss, from the metric history.

    Nothing is collected here: :class:`~monai_anomaly.handlers.training.metric_history.MetricHistory` has the numbers
    and is resumed with the checkpoint, so the curves of a resumed run are whole. Both files are written at the end,
    too, and are never seen half written. TensorBoard shows the same curves while it runs, but leaves no picture.

    Args:
        output_dir: folder of both files; it is made.
        history: the trainer's history, attached before this.
        interval: epochs between two drawings.
        names: columns of the history to show, in order, such as ``val_kl`` for a validation metric; None takes every
            number of the trainer's output.

    Raises:
        ValueError: when the interval is below 1, or `names` is empty.
    """

    def __init__(
        self,
        output_dir: str | Path,
        history: MetricHistory,
        *,
        interval: int = 1,
        names: Sequence[str] | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}.")
        if names is not None and (isinstance(names, str) or not names):
            raise ValueError(f"names must list columns of the history, or be None for all losses, got {names!r}.")
        self.output_dir = Path(output_dir)
        self.history = history
        self.interval = interval
        self.names = None if names is None else list(names)

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the history; of several processes the first one writes."""
        if idist.get_rank() > 0:
            return
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def __call__(self, _: Engine) -> None:
        """Write both files; nothing before the first epoch's end."""
        rows = self.history.rows
        if not rows:
            return
        names = self._columns()
        table = MetricHistory()
        table.rows = [{name: row[name] for name in ("epoch", *names) if name in row} for row in rows]
        self.output_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(self.output_dir / "losses.csv", table.table())
        atomic_write(self.output_dir / "loss_curves.svg", draw_losses(rows, names))

    def _finish(self, engine: Engine) -> None:
        self(engine)
        missing = sorted(set(self.names or ()) - {name for row in self.history.rows for name in row})
        if missing:
            logger.warning("no epoch has a number called %s, so that no curve shows it", ", ".join(missing))

    def _columns(self) -> list[str]:
        known = dict.fromkeys(name for row in self.history.rows for name in row)
        if self.names is not None:
            return [name for name in self.names if name in known]
        return [name for name in known if name not in _NOT_LOSSES and not name.startswith("val_")]


def draw_losses(rows: Rows, names: Sequence[str]) -> str:
    """Return the text of an SVG file with one panel for each name.

    An axis is logarithmic where all values are positive and the largest is more than 100 times the smallest.

    Args:
        rows: the numbers of each epoch, with ``epoch``; a number may be missing or NaN, and is then passed over.
        names: what to draw.
    """
    last = max((row["epoch"] for row in rows), default=1.0)
    lines = -(-len(names) // _COLUMNS)
    width, height = _COLUMNS * _PANEL_WIDTH, max(1, lines) * _PANEL_HEIGHT
    panels = "".join(
        f'<g transform="translate({number % _COLUMNS * _PANEL_WIDTH} {number // _COLUMNS * _PANEL_HEIGHT})">'
        f"{_panel(name, _points(rows, name), last)}</g>"
        for number, name in enumerate(names)
    )
    about = f"Losses over {last:g} epochs: {escape(', '.join(names))}; the numbers are in losses.csv."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{about}"><title>{about}</title><style>{_STYLE}</style>'
        f'<rect class="page" width="{width}" height="{height}"/>{panels}</svg>\n'
    )


def _points(rows: Rows, name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]


def _panel(name: str, points: Sequence[tuple[float, float]], last: float) -> str:
    """Return a loss: its name and latest value, the axes and the curve."""
    shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    title = f'<title>{escape(name)}</title><text class="title" x="{_LEFT}" y="24">{escape(shown)}</text>'
    if not points:
        return title + f'<text x="{_LEFT}" y="{_TOP + 20}">no values</text>'
    values = [value for _, value in points]
    log = min(values) > 0 and max(values) > _LOG_FROM * min(values)
    low, high = (math.log10(min(values)), math.log10(max(values))) if log else (min(values), max(values))
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    y = _axis(low - room, high + room, _PANEL_HEIGHT - _BOTTOM, _TOP)
    x = _axis(1.0, max(last, 2.0), _LEFT, _PANEL_WIDTH - _RIGHT)
    ticks = _decades(low, high) if log else [(tick, f"{tick:g}") for tick in _ticks(low - room, high + room)]
    places = [(x(epoch), y(math.log10(value) if log else value)) for epoch, value in points]
    scale = "log scale, " if log else ""
    latest = (
        f'<text class="last" x="{_PANEL_WIDTH - _RIGHT}" y="24" text-anchor="end">{scale}last {values[-1]:.4g}</text>'
    )
    frame = _frame(x, y, [tick for tick in _ticks(1, max(last, 2.0)) if tick.is_integer()], ticks)
    return f"{title}{latest}{frame}{_curve(places)}{_caption('epoch')}"


def _curve(places: Sequence[tuple[float, float]]) -> str:
    """Return a line; dots as well where there are few values, as there may be gaps between them."""
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    few = len(places) <= _MOST_DOTS
    dots = "".join(f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in places) if few else ""
    return f'<polyline class="curve" points="{line}"/>{dots}'


def _frame(
    x: Callable[[float], float],
    y: Callable[[float], float],
    epochs: Sequence[float],
    ticks: Sequence[tuple[float, str]],
) -> str:
    bottom, right = _PANEL_HEIGHT - _BOTTOM, _PANEL_WIDTH - _RIGHT
    parts = []
    for value, text in ticks:
        parts.append(f'<path class="grid" d="M{_LEFT} {y(value):.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y(value) + 4:.1f}" text-anchor="end">{text}</text>')
    for epoch in epochs:
        parts.append(f'<text x="{x(epoch):.1f}" y="{bottom + 16}" text-anchor="middle">{epoch:g}</text>')
    return "".join(parts) + f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>'


def _caption(text: str) -> str:
    middle = (_LEFT + _PANEL_WIDTH - _RIGHT) / 2
    return f'<text x="{middle:.0f}" y="{_PANEL_HEIGHT - 9}" text-anchor="middle">{text}</text>'


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Map values to pixels."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _ticks(low: float, high: float, at_most: int = 5) -> list[float]:
    """Round values in the range, in steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power) if (high - low) / s <= at_most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _decades(low: float, high: float, at_most: int = 5) -> list[tuple[float, str]]:
    """Powers of ten in a range of logarithms, evenly spaced, with their texts."""
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    step = -(-(last - first + 1) // at_most)
    return [(float(i), f"{10.0**i:g}") for i in range(first, last + 1, step)]
