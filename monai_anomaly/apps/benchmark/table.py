# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of a benchmark as a table for programs and one for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monai_anomaly.metrics.bootstrap import Bootstrap, bootstrap
from monai_anomaly.metrics.checked_scores import ScoreTable, check_scores
from monai_anomaly.metrics.image_level import area_under_roc
from monai_anomaly.utils import spreadsheet

__all__ = ["COLUMNS", "Method", "Table", "csv_text", "grid", "markdown", "short", "summarize"]

COLUMNS: tuple[str, ...] = (
    "data",
    "method",
    "kind",
    "seed",
    "status",
    "reason",
    "oracle",
    "auroc",
    "auroc_low",
    "auroc_high",
)
COLUMNS += ("average_precision", "n_normal", "n_abnormal", "n_groups", "n_rejected", "n_training", "max_minutes")
COLUMNS += ("seconds", "training_seconds", "evaluation_seconds", "cpu_seconds", "peak_memory_mb", "gpu_memory_mb")
COLUMNS += ("versions",)
"""Of ``results.csv``."""

_SEED, _RESAMPLES = 0, 1000
"""Of the bootstrap."""


@dataclass
class Method:
    """A method on a data set, over its seeds.

    Args:
        data: the data set's name.
        name: the method's name.
        kind: ``bundle``, ``baseline`` or ``statistic``.
        rows: its rows, one a seed.
        auroc: mean over the seeds that are done; None without any.
        interval: 95 %, of that mean; None where it is not defined.
    """

    data: str
    name: str
    kind: str
    rows: list[dict[str, Any]]
    auroc: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def done(self) -> list[dict[str, Any]]:
        """The rows that have a result."""
        return [row for row in self.rows if row["status"] == "done"]

    @property
    def seeds(self) -> list[float]:
        """The AUROC of each seed that is done."""
        return [row["auroc"] for row in self.done]

    def mean(self, column: str) -> float | None:
        """Return the mean over the seeds that have it."""
        values = [row[column] for row in self.done if row.get(column) is not None]
        return sum(values) / len(values) if values else None


@dataclass
class Table:
    """All rows of a benchmark, and the methods that they are of, best statistics only; what is left out, and why."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def data(self) -> list[str]:
        """Names of the data sets, as they came."""
        return list(dict.fromkeys(method.data for method in self.methods))

    def of(self, data: str) -> list[Method]:
        """Return a data set's methods: bundles, baselines, the best single statistic."""
        order = ("bundle", "baseline", "statistic")
        return sorted((m for m in self.methods if m.data == data), key=lambda m: order.index(m.kind))


def summarize(results: Sequence[Mapping[str, Any]]) -> Table:
    """Bring the rows of the same method together.

    Args:
        results: what :func:`monai_anomaly.apps.benchmark.run_cell.run_cell` gave, or rows that are not run.
    """
    table = Table(left_out=list(dict.fromkeys(result["left_out"] for result in results if result.get("left_out"))))
    members: dict[tuple[str, str], list[tuple[dict[str, Any], Mapping[str, Any]]]] = {}
    for result in results:
        for row in result["rows"]:
            table.rows.append({column: row.get(column) for column in COLUMNS})
            if row["kind"] != "statistic" or row["oracle"].startswith("choice"):
                members.setdefault((row["data"], row["method"]), []).append((row, result))
    for (data, name), pairs in members.items():
        method = Method(data, name, pairs[0][0]["kind"], [row for row, _ in pairs])
        if method.done:
            method.auroc = sum(method.seeds) / len(method.seeds)
            method.interval = _interval([pair for pair in pairs if pair[0]["status"] == "done"])
        table.methods.append(method)
    return table


def _interval(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[float, float] | None:
    """Return the interval of the seeds' mean AUROC, by resamples of patients, the same ones for all seeds.

    It is of the mean of the AUROCs and not of the AUROC of mean scores: the first is what one training gives on
    average, the second would be an ensemble's, which is better and which nobody would run.
    """
    scores = [dict(zip(result["names"], row["scores"], strict=True)) for row, result in pairs]
    first = pairs[0][1]
    common = [i for i, name in enumerate(first["names"]) if all(name in of_seed for of_seed in scores)]
    labels, groups = [first["labels"][i] for i in common], [first["groups"][i] for i in common]
    seeds = [
        _bootstrap(check_scores(labels, [of_seed[first["names"][i]] for i in common], groups)) for of_seed in scores
    ]
    mean = replace(
        seeds[0],
        value={"auroc": np.mean([seed.value["auroc"] for seed in seeds])},
        resampled={"auroc": np.mean([seed.resampled["auroc"] for seed in seeds], axis=0)},
    )
    between = mean.measure("auroc", "pairs")["interval"]
    return None if between is None else (float(between[0]), float(between[1]))


def _bootstrap(scored: ScoreTable) -> Bootstrap:
    return bootstrap(scored, lambda counts: {"auroc": area_under_roc(counts)}, seed=_SEED, n_bootstrap=_RESAMPLES)


def csv_text(table: Table) -> str:
    """``results.csv``: a row for each cell, and for each baseline and statistic."""
    return spreadsheet.csv_text(COLUMNS, table.rows)


def markdown(table: Table, *, max_minutes: float, threads: str) -> str:
    """``table.md``.

    Args:
        table: the numbers.
        max_minutes: the budget.
        threads: ``OMP_NUM_THREADS``.
    """
    parts = [f"# Benchmark\n\n{_protocol(max_minutes, threads)}\n", _overview(table)]
    parts += [f"{sentence}\n" for sentence in table.left_out]
    parts += [_details(table, data) for data in table.data]
    parts += [_failures(table), _NOTES]
    return "\n".join(part for part in parts if part)


_NOTES = """## How to read it

- AUROC: mean over the seeds, what one training gives on average. In brackets the 95 % interval of that mean: a
  bootstrap over patients, the same resamples for all seeds. It tells how sure the number is with other patients, not
  with other seeds: for that see the range over seeds.
- Two methods whose intervals or ranges overlap are not told apart by this table.
- Baselines are fitted to the same training normals at 64 pixels, gray, and know no seed and no budget. Those called
  Lite0 look at features of EfficientNet-Lite0, trained on ImageNet, of the images at 128 pixels, gray: PaDiM (100
  channels of stages 2, 3 and 5; mean of its distances, and of the highest 5 %), PatchCore (coreset of at most 2,000
  patches of stages 3 and 5; the published score, the largest distance reweighted) and the mean cosine distance to the
  5 nearest normals.
- The single statistic is an oracle: which one, and its direction, were chosen by the test labels, and its interval does
  not know of that. Where it comes near a method, the data have a shortcut, and the method may have found no more.
- Seconds are those of training and evaluation on the clock, start and imports included; memory is that of the largest
  process.
"""


def _protocol(max_minutes: float, threads: str) -> str:
    return (
        f"Each bundle trained for {max_minutes:g} minutes of wall-clock time on the training normals, with the last "
        f"weights as its result; no test label chose anything but what is called oracle. OMP_NUM_THREADS: {threads}."
    )


def _overview(table: Table) -> str:
    """Methods against data sets."""
    named: dict[str, dict[str, Method]] = {}
    for data in table.data:
        for method in table.of(data):
            label = "best single statistic (oracle)" if method.kind == "statistic" else method.name
            named.setdefault(label, {})[data] = method
    last = named.pop("best single statistic (oracle)", None)
    lines = [("AUROC", *table.data)]
    for label, methods in [*named.items(), *([("best single statistic (oracle)", last)] if last else [])]:
        lines.append(
            (
                label,
                *(_auroc(methods[data]) + _missing(methods[data]) if data in methods else "" for data in table.data),
            )
        )
    return grid(lines)


def _details(table: Table, data: str) -> str:
    methods = table.of(data)
    lines: list[Sequence[str]] = [
        ("method", "AUROC (95 %)", "seeds", "AP", "seconds", "CPU s", "peak MiB", "GPU MiB", "not read")
    ]
    for method in methods:
        name = f"{method.name} (oracle)" if method.kind == "statistic" else method.name
        precision = method.mean("average_precision")
        numbers = [method.mean(c) for c in ("seconds", "cpu_seconds", "peak_memory_mb", "gpu_memory_mb", "n_rejected")]
        cells = ["" if value is None else f"{value:.0f}" for value in numbers]
        lines.append((name, _auroc(method), _seeds(method), short(precision), *cells))
    counted = next((row for method in methods for row in method.done), None)
    text = ""
    if counted:
        normal, abnormal, patients = (counted[key] for key in ("n_normal", "n_abnormal", "n_groups"))
        training = max(row["n_training"] for method in methods for row in method.done)
        test = f"{normal} normal and {abnormal} abnormal test images of {patients} patients"
        text = f"{training} training normals; {test}. Guessing has an AP of {abnormal / (normal + abnormal):.3f}.\n\n"
    return f"## {data}\n\n{text}{grid(lines)}"


def _failures(table: Table) -> str:
    lines = [("data", "method", "seed", "status", "why")]
    for row in table.rows:
        if row["status"] != "done":
            seed = "" if row["seed"] is None else str(row["seed"])
            lines.append((row["data"], row["method"], seed, row["status"], row["reason"]))
    return f"## Cells without a result\n\n{grid(lines)}" if len(lines) > 1 else ""


def _auroc(method: Method) -> str:
    if method.auroc is None:
        return method.rows[0]["status"]
    between = f" ({short(method.interval[0])} to {short(method.interval[1])})" if method.interval else ""
    return short(method.auroc) + between


def _missing(method: Method) -> str:
    """Return a mean over fewer seeds than the others' says so."""
    return f", {len(method.done)} of {len(method.rows)} seeds" if 0 < len(method.done) < len(method.rows) else ""


def _seeds(method: Method) -> str:
    if method.kind != "bundle":
        return ""
    some = f"{len(method.done)} of {len(method.rows)}"
    return f"{short(min(method.seeds))} to {short(max(method.seeds))} ({some})" if method.seeds else some


def short(value: float | None) -> str:
    """Return three digits without the zero before the point; nothing for None."""
    return "" if value is None else f"{value:.3f}".removeprefix("0")


def grid(lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown.

    Args:
        lines: their cells, those of the head first.
    """
    rows = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|---" * len(lines[0]) + "|", *rows[1:]]) + "\n"
