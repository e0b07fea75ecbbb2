# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of a pool curve as tables for programs and one for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.apps.benchmark.table import COLUMNS as CELL_COLUMNS
from monai_anomaly.apps.benchmark.table import grid, short
from monai_anomaly.metrics.bootstrap import Bootstrap, count_above
from monai_anomaly.metrics.checked_scores import check_scores
from monai_anomaly.metrics.image_level import area_under_roc

__all__ = ["COLUMNS", "CurvePoint", "markdown", "point_rows", "summarize_curve"]

COLUMNS: tuple[str, ...] = ("data", "method", "split", "size", "share", "n_pool", "n_pool_abnormal")
COLUMNS += tuple(column for column in CELL_COLUMNS if column not in ("data", "method", "kind", "oracle"))
"""Of ``results.csv``."""

_SEED, _RESAMPLES = 0, 1000
"""Of the bootstrap."""

Floats = npt.NDArray[np.float64]
Result = Mapping[str, Any]


@dataclass
class CurvePoint:
    """A method with one kind of pool on a data set, over the splits.

    Args:
        data: the data set's name.
        method: the bundle.
        size: number of pool images, or ``all``; empty without a pool.
        share: of abnormal ones, ``as it comes`` or ``no pool``.
        rows: its rows, one a split.
        auroc: mean over the splits that are done; None without any.
        interval: 95 %, of that mean; None where it is not defined.
        difference: mean over splits of the AUROC less that of the same split without a pool.
        difference_interval: 95 %, of that.
    """

    data: str
    method: str
    size: str
    share: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    auroc: float | None = None
    interval: tuple[float, float] | None = None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None

    @property
    def splits(self) -> list[float]:
        """The AUROC of each split that is done."""
        return [row["auroc"] for row in self.rows if row["status"] == "done"]

    def mean(self, column: str) -> float | None:
        """Return the mean over the splits that are done."""
        values = [row[column] for row in self.rows if row["status"] == "done" and row.get(column) is not None]
        return sum(values) / len(values) if values else None


def summarize_curve(results: Sequence[Result]) -> list[CurvePoint]:
    """Bring the splits of each pool together.

    Intervals are by a bootstrap over the patients of all splits: a resample weighs a patient the same in every split
    that tests him, and with and without a pool, so that the splits are not taken for independent.

    Args:
        results: of the cells, each with one row.
    """
    members: dict[tuple[str, str, str, str], list[Result]] = {}
    for result in results:
        row = result["rows"][0]
        members.setdefault((row["data"], row["method"], row["size"], row["share"]), []).append(result)
    names = {data for data, *_ in members}
    patients = {name: _Patients([r for r in results if r["rows"][0]["data"] == name]) for name in names}
    aurocs = {
        key: {cell["rows"][0]["split"]: patients[key[0]].aurocs(cell) for cell in cells if "names" in cell}
        for key, cells in members.items()
    }
    points = []
    for key, cells in members.items():
        point = CurvePoint(*key, [cell["rows"][0] for cell in cells])
        if aurocs[key]:
            point.auroc, point.interval = patients[key[0]].mean([*aurocs[key].values()])
        if point.share != "no pool":
            _compare(point, aurocs[key], aurocs.get((point.data, point.method, "", "no pool"), {}))
        points.append(point)
    return points


def _compare(point: CurvePoint, with_pool: Mapping[int, Floats], without: Mapping[int, Floats]) -> None:
    """Give a point its difference to the same splits without a pool."""
    pairs = [(aurocs, without[split]) for split, aurocs in with_pool.items() if split in without]
    if pairs:
        differences = np.mean([one - other for one, other in pairs], axis=0)
        low, high = np.nanquantile(differences[1:], [0.025, 0.975])
        point.difference, point.difference_interval = float(differences[0]), (float(low), float(high))


class _Patients:
    """The test patients of a data set, and how often each resample drew them.

    Args:
        results: all cells of the data set.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self._place: dict[str, int] = {}
        classes: tuple[set[str], set[str]] = (set(), set())
        for result in results:
            for group, label in zip(result.get("groups", ()), result.get("labels", ()), strict=True):
                self._place.setdefault(group, len(self._place))
                classes[label].add(group)
        self._counts = tuple(len(groups) for groups in classes)
        n = max(1, len(self._place))
        drawn = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
        self._weights = np.concatenate([np.ones((1, n)), drawn.astype(np.float64)])

    def aurocs(self, result: Result) -> Floats:
        """Return the AUROC of a cell, then those of the resamples, ``(1 + R,)``; NaN for one that drew one class."""
        table = check_scores(result["labels"], result["rows"][0]["scores"], result["groups"])
        weights = self._weights[:, [self._place[group] for group in result["groups"]]]
        return area_under_roc(count_above(table, weights))

    def mean(self, aurocs: Sequence[Floats]) -> tuple[float, tuple[float, float] | None]:
        """Return the mean over splits, and its interval."""
        mean = np.mean(aurocs, axis=0)
        kept = mean[1:][np.isfinite(mean[1:])]
        normal, abnormal = self._counts
        drawn = Bootstrap({"auroc": mean[0]}, {"auroc": kept}, normal, abnormal, len(self._place), len(kept), "")
        between = drawn.measure("auroc", "pairs")["interval"]
        return float(mean[0]), None if between is None else (float(between[0]), float(between[1]))


def point_rows(points: Sequence[CurvePoint]) -> list[dict[str, Any]]:
    """``curve.json``: the points as plain values."""
    columns = ("data", "method", "size", "share", "auroc", "interval", "difference", "difference_interval", "splits")
    return [
        {column: getattr(point, column) for column in columns}
        | {"n_pool": point.mean("n_pool"), "n_pool_abnormal": point.mean("n_pool_abnormal")}
        for point in points
    ]


def markdown(points: Sequence[CurvePoint], *, max_minutes: float, threads: str) -> str:
    """``table.md``.

    Args:
        points: the numbers.
        max_minutes: the budget of a training.
        threads: ``OMP_NUM_THREADS``.
    """
    parts = [f"# Pool curve\n\n{_PROTOCOL.format(max_minutes=max_minutes, threads=threads)}"]
    for data in dict.fromkeys(point.data for point in points):
        parts.append(f"## {data}\n\n{grid(_lines([point for point in points if point.data == data]))}")
    return "\n".join([*parts, _failures(points), _NOTES])


_PROTOCOL = """Half of the test patients are the pool, the others are tested, in several splits. The pool's labels were
used to make the shares and for nothing else. Each training had at most {max_minutes:g} minutes; OMP_NUM_THREADS:
{threads}.
"""

_NOTES = """## How to read it

- AUROC: mean over the splits. In brackets the 95 % interval of that mean, by a bootstrap over patients that resamples
  all splits together; it tells how sure the number is with other test patients, not with other pools: for that see the
  range over splits.
- Difference: to the same bundle on the same split without a pool, with the interval of the paired difference.
- A share with size `all` has as many images as the pool allows with it, so that shares differ in size, too.
"""

_HEAD = ("method", "share", "size", "pool images", "of them abnormal", "AUROC (95 %)", "splits", "difference (95 %)")


def _lines(points: Sequence[CurvePoint]) -> list[Sequence[str]]:
    lines: list[Sequence[str]] = [_HEAD]
    for point in points:
        if point.auroc is None:
            continue
        counts = ["" if (n := point.mean(c)) is None else f"{n:.0f}" for c in ("n_pool", "n_pool_abnormal")]
        splits = f"{short(min(point.splits))} to {short(max(point.splits))} ({len(point.splits)} of {len(point.rows)})"
        difference = "" if point.difference is None else _signed(point.difference)
        difference += _between(point.difference_interval, _signed)
        auroc = short(point.auroc) + _between(point.interval)
        lines.append((point.method, point.share, point.size, *counts, auroc, splits, difference))
    return lines


def _signed(value: float) -> str:
    """Return three digits with the sign."""
    return f"{value:+.3f}".replace("0.", ".", 1)


def _between(interval: tuple[float, float] | None, write: Callable[[float], str] = short) -> str:
    return f" ({write(interval[0])} to {write(interval[1])})" if interval else ""


def _failures(points: Sequence[CurvePoint]) -> str:
    lines: list[Sequence[str]] = [("data", "method", "share", "size", "split", "status", "why")]
    for point in points:
        for row in point.rows:
            if row["status"] != "done":
                place = (point.data, point.method, point.share, point.size, str(row["split"]))
                lines.append((*place, row["status"], row["reason"]))
    return f"## Cells without a result\n\n{grid(lines)}" if len(lines) > 1 else ""
