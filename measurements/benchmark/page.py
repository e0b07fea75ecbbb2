# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The page of all commits: a row for each figure, with its course."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from markupsafe import Markup

from measurements.benchmark.history import Entry
from measurements.benchmark.parts import Figure
from monai_anomaly.report.page_head import make_head
from monai_anomaly.report.rendering import environment
from monai_anomaly.report.svg import Plot, chart, disc, line, path

__all__ = ["compare_entries", "draw_page", "written"]

TEMPLATE = Path(__file__).with_name("page.html.jinja")
_WIDTH, _HEIGHT = 220, 44


def written(figure: Figure | None) -> str:
    """Return a figure with its unit, a dash for none."""
    if figure is None:
        return "-"
    return f"{figure.value:.3g}" + ("" if figure.unit == "x" else f" {figure.unit}")


def compare_entries(now: Entry, before: Entry | None) -> str:
    """Return a table in Markdown of an entry beside an earlier one."""
    head = "nothing earlier" if before is None else f"{before.commit} of {before.date}"
    lines = [f"| | {now.commit} | {head} | now / then | bar |", "|---|---|---|---|---|"]
    for figure in now.figures:
        other = None if before is None else before.figure(figure.name)
        change = f"{figure.value / other.value:.2f}" if other is not None and other.value else "-"
        bar = "" if figure.bar is None else f"<= {figure.bar:g}"
        lines.append(f"| {figure.name} | {written(figure)} | {written(other)} | {change} | {bar} |")
    return "\n".join(lines)


def draw_page(entries: Sequence[Entry]) -> str:
    """Return the page of at least one entry, the oldest first, as HTML that needs nothing else."""
    last = entries[-1]
    names = list(dict.fromkeys(figure.name for entry in reversed(entries) for figure in entry.figures))
    shown = list(entries[-_COLUMNS:])
    rows = [
        (name, [written(entry.figure(name)) for entry in shown], _bar(entries, name), _course(entries, name))
        for name in names
    ]
    head = make_head("Benchmark", datetime.now(timezone.utc), last.machine)
    template = environment().from_string(TEMPLATE.read_text())
    return template.render(head=head, rows=rows, entries=shown, n_entries=len(entries))


_COLUMNS = 6
"""Commits whose numbers are written out."""


def _bar(entries: Sequence[Entry], name: str) -> float | None:
    figure = entries[-1].figure(name)
    return None if figure is None else figure.bar


def _course(entries: Sequence[Entry], name: str) -> Markup:
    """Return a small curve over the commits, from 0, with the bar."""
    known = [(float(place), figure.value) for place, entry in enumerate(entries) if (figure := entry.figure(name))]
    bar = _bar(entries, name)
    top = max([value for _, value in known] + ([] if bar is None else [bar])) * 1.1 or 1.0
    plot = Plot(6, 4, _WIDTH - 6, _HEIGHT - 4, (0.0, max(1.0, len(entries) - 1.0)), (0.0, top))
    places, values = [place for place, _ in known], [value for _, value in known]
    shapes = [path(f"M{plot.left} {plot.bottom}H{plot.right}", "axis"), line(plot, places, values, "loss")]
    if bar is not None:
        shapes.insert(1, line(plot, plot.x_range, [bar, bar], "chance"))
    shapes += [disc(plot.x(place), plot.y(value), 2.5, "dot") for place, value in known]
    about = f"{name}: from {values[0]:.3g} to {values[-1]:.3g} over {len(values)} commits."
    return chart(_WIDTH, _HEIGHT, about, *shapes)
