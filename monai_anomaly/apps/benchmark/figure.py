# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The figure of a benchmark: each method's AUROC with its interval and its seeds, as one SVG file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from monai_anomaly.apps.benchmark.table import Method, Table

__all__ = ["draw_figure"]

_WIDTH, _LEFT, _RIGHT = 860, 330, 90
_ROW, _TITLE, _TOP, _BOTTOM = 24, 44, 12, 96
_STYLE = """
svg { --page: #ffffff; --text: #1c1f23; --quiet: #5a6270; --line: #d4d8de; --bundle: #1f6fb5; --oracle: #c2410c; }
@media (prefers-color-scheme: dark) { svg { --page: #14171b; --text: #e8eaed; --quiet: #a2abb8; --line: #39414b;
  --bundle: #6cb2f2; --oracle: #ff9a62; } }
text { font: 13px system-ui, sans-serif; fill: var(--text); } .quiet { fill: var(--quiet); }
.title { font-weight: 600; font-size: 15px; } .page { fill: var(--page); }
.grid { stroke: var(--line); } .chance { stroke: var(--quiet); stroke-dasharray: 4 4; }
.bundle { stroke: var(--bundle); fill: var(--bundle); } .baseline { stroke: var(--quiet); fill: var(--quiet); }
.statistic { stroke: var(--oracle); fill: var(--page); } .bar { stroke-width: 2; } .seed { fill: none; }
"""


def draw_figure(table: Table) -> str:
    """Return the file's text.

    Args:
        table: the numbers.
    """
    panels = [(data, table.of(data)) for data in table.data]
    height = _TOP + sum(_TITLE + _ROW * len(methods) for _, methods in panels) + _BOTTOM
    low = _lowest(table.methods)
    parts, top = [], float(_TOP)
    for data, methods in panels:
        parts.append(_panel(data, methods, top, low))
        top += _TITLE + _ROW * len(methods)
    parts.append(_legend(top + 50))
    about = "AUROC of each method on each data set, with 95 % intervals; the numbers are in table.md."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="{about}"><title>{about}</title><style>{_STYLE}</style>'
        f'<rect class="page" width="{_WIDTH}" height="{height}"/>{"".join(parts)}</svg>\n'
    )


def _lowest(methods: Sequence[Method]) -> float:
    """Return the axis's start: a tenth, at or below all that is drawn and guessing."""
    values = [v for m in methods for v in (m.auroc, *(m.interval or ()), *m.seeds) if v is not None]
    return math.floor(10 * min([0.5, *values]) + 1e-9) / 10


def _panel(data: str, methods: Sequence[Method], top: float, low: float) -> str:
    """One data set: its name, an axis, a row for each method."""

    def x(value: float) -> float:
        return _LEFT + (value - low) / (1 - low) * (_WIDTH - _LEFT - _RIGHT)

    first, last = top + _TITLE - 6, top + _TITLE + _ROW * len(methods) - 6
    parts = [f'<text class="title" x="12" y="{top + 18:.0f}">{escape(data)}</text>']
    for tick in range(round(10 * low), 11):
        position = x(tick / 10)
        kind = "chance" if tick == 5 else "grid"
        parts.append(f'<path class="{kind}" d="M{position:.1f} {first:.0f}V{last:.0f}"/>')
        label = f"{tick / 10:.1f}"
        parts.append(f'<text class="quiet" x="{position:.1f}" y="{first - 5:.0f}" text-anchor="middle">{label}</text>')
    for number, method in enumerate(methods):
        parts.append(_row(method, first + _ROW * (number + 0.5), x))
    return "".join(parts)


def _row(method: Method, y: float, x: Callable[[float], float]) -> str:
    name = f"{method.name} (oracle)" if method.kind == "statistic" else method.name
    shown = name if len(name) <= 48 else name[:47] + "…"
    text = f'<text x="12" y="{y + 4.5:.1f}">{escape(shown)}</text>'
    if method.auroc is None:
        return text + f'<text class="quiet" x="{_LEFT}" y="{y + 4.5:.1f}">{escape(method.rows[0]["status"])}</text>'
    marks = ""
    if method.interval:
        a, b = (x(value) for value in method.interval)
        marks += f'<path class="{method.kind} bar" d="M{a:.1f} {y:.1f}H{b:.1f}"/>'
    if len(method.seeds) > 1:
        marks += "".join(
            f'<circle class="{method.kind} seed" cx="{x(v):.1f}" cy="{y:.1f}" r="5.5"/>' for v in method.seeds
        )
    marks += _mark(method.kind, x(method.auroc), y)
    value = f'<text x="{_WIDTH - _RIGHT + 14}" y="{y + 4.5:.1f}">{method.auroc:.3f}</text>'
    return f"<g><title>{escape(name)}</title>{text}{marks}{value}</g>"


def _mark(kind: str, x: float, y: float) -> str:
    """Return a disc, a square or a hollow diamond: told apart without color, too."""
    if kind == "bundle":
        return f'<circle class="bundle" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if kind == "baseline":
        return f'<rect class="baseline" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    return f'<path class="statistic" stroke-width="1.5" d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>'


def _legend(y: float) -> str:
    """Return what the marks are; the axis's name above."""
    entries = (
        ("bundle", "bundle, mean over seeds"),
        ("baseline", "simple baseline"),
        ("statistic", "best single statistic, chosen by test labels (oracle)"),
    )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts = [
        f'<text class="quiet" x="{middle:.0f}" y="{y - 26:.0f}" text-anchor="middle">ROC AUC; 0.5 is guessing</text>'
    ]
    x = 20.0
    for kind, text in entries:
        parts.append(_mark(kind, x, y) + f'<text class="quiet" x="{x + 12:.0f}" y="{y + 4.5:.1f}">{text}</text>')
        x += 36 + 7.0 * len(text)
    note = "Lines are 95 % intervals by a bootstrap over patients; rings are single seeds."
    return "".join(parts) + f'<text class="quiet" x="14" y="{y + 26:.1f}">{note}</text>'
