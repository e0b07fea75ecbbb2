# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two ways to do the same work, timed in turn within one process."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.stopwatch import Span

__all__ = ["Comparison", "format_table", "write_numbers"]


@dataclass
class Comparison:
    """A piece of work against its floor, round by round.

    Args:
        name: what is timed.
        bar: the median ratio that is aimed at, at most; None for none.
        per: units of work in a round; times are reported per unit.
        ours: the whole work, one span per round.
        floor: the part that cannot be avoided, one span per round.
        notes: further numbers.
        clock: that the bar is for, ``"wall"`` or ``"cpu"``.
    """

    name: str
    bar: float | None
    per: int = 1
    ours: list[Span] = field(default_factory=list)
    floor: list[Span] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)
    clock: str = "wall"

    def ratios(self, clock: str = "wall") -> list[float]:
        """Ours over the floor, for each round, by the ``"wall"`` or the ``"cpu"`` clock."""
        pairs = zip(self.ours, self.floor, strict=True)
        return [getattr(a, clock) / max(getattr(b, clock), 1e-9) for a, b in pairs]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios on the bar's clock."""
        return statistics.median(self.ratios(self.clock))

    def summary(self) -> dict[str, Any]:
        """Plain values for a JSON file; times in seconds per unit of work."""
        sides = {"ours": self.ours, "floor": self.floor}
        return {
            "bar": self.bar,
            "bar_clock": self.clock,
            "ratio_median": statistics.median(self.ratios()),
            "ratio_min": min(self.ratios()),
            "cpu_ratio_median": statistics.median(self.ratios("cpu")),
            "ratios": self.ratios(),
            **{f"{side}_s_median": _median(spans) / self.per for side, spans in sides.items()},
            **{f"{side}_s_min": min(s.wall for s in spans) / self.per for side, spans in sides.items()},
            **{f"{side}_s": [s.wall / self.per for s in spans] for side, spans in sides.items()},
            "units_per_round": self.per,
            **self.notes,
        }


def format_table(comparisons: Sequence[Comparison]) -> str:
    """One line for each comparison: median times per unit, ratios, the bar and whether the median ratio keeps it."""
    rows: list[tuple[str, ...]] = [("", "ours", "floor", "ratio", "min", "cpu", "bar", "")]
    for c in comparisons:
        values = c.summary()
        rows.append(
            (
                c.name,
                _time(values["ours_s_median"]),
                _time(values["floor_s_median"]),
                *(f"{values[key]:.3f}" for key in ("ratio_median", "ratio_min", "cpu_ratio_median")),
                "" if c.bar is None else f"{'cpu ' if c.clock == 'cpu' else ''}<= {c.bar:g}",
                "" if c.bar is None else "kept" if c.ratio <= c.bar else "missed",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )


def write_numbers(path: str | os.PathLike[str] | None, numbers: Mapping[str, Any]) -> None:
    """Write numbers as JSON, if there is a path."""
    if path is not None:
        atomic_write(path, json.dumps(numbers, indent=1) + "\n")


def _median(spans: Sequence[Span]) -> float:
    return statistics.median(s.wall for s in spans)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1.0 else f"{1e3 * seconds:.2f} ms"
