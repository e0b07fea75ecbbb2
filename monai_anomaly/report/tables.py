# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of a report, and how a number is written in them: with its interval, or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["estimate", "facts_table", "grid_table"]


def estimate(found: Mapping[str, Any], *, percent: bool = False) -> str:
    """Return a number with its interval as HTML.

    Args:
        found: ``value`` (None where it is undefined), ``interval`` (``[low, high]`` or None) and ``reason``, why one of
            them is None; see :func:`monai_anomaly.metrics.bootstrap.measure`.
        percent: write shares as percent.
    """

    def show(value: float) -> str:
        return f"{100 * value:.1f}" if percent else f"{value:.3f}"

    reason = f'<small class="why">{escape(str(found.get("reason") or ""))}</small>'
    if found["value"] is None:
        return f"undefined{reason}"
    interval = found.get("interval")
    between = f"<small>{show(interval[0])} to {show(interval[1])}</small>" if interval else reason
    return f"{show(found['value'])}{' %' if percent else ''}{between}"


def facts_table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, names and texts; both are escaped here."""
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows)
    return f'<div class="scroll"><table class="facts">{body}</table></div>'


def grid_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a row of names above and a column of names at the left.

    Args:
        caption: what the table holds; escaped here.
        header: names of the columns; escaped here.
        rows: a name and cells, all of them HTML.
    """
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return (
        # What scrolls must be reached by keyboard, and have a name.
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
