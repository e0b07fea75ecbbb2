# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How many false alarms calibrated thresholds give: normal scores are split at random, again and again.

``python -m measurements.splits scores.csv`` reads any table with a column ``score`` and, where they exist,
``label`` (only rows with 0 are used) and ``group`` (the patient; else each row is one), such as an evaluation writes,
and any ``calibration.json``.
In each of 200 splits half of the patients calibrate and the others are tested. A split's rate is the mean over its
tested patients of the share of their images that is called anomalous; its expectation over splits is at most alpha, for
any scores.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monai_anomaly.apps.arguments import count
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import conformal_threshold, patients_needed

__all__ = ["Rates", "format_table", "main", "read_normals", "split_rates"]

ALPHAS = (0.01, 0.05, 0.1)


class Rates(NamedTuple):
    """False-alarm rates over splits at one alpha; ``error`` is the standard error of the mean over splits."""

    alpha: float
    mean: float
    error: float
    lowest: float
    highest: float
    by_image: float
    """The mean with images as the unit, for comparison; nothing is promised of it where patients differ in size."""


def split_rates(
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    alphas: tuple[float, ...] = ALPHAS,
    repeats: int = 200,
    seed: int = 0,
) -> list[Rates]:
    """Return the rates of normal scores over random splits by patient; nan where there are too few patients.

    Args:
        scores: ``(N,)``, of normals.
        groups: ``(N,)``, their patients.
        alphas: promised false-alarm rates.
        repeats: how many splits.
        seed: draws them.
    """
    values, owners = np.asarray(scores, float), np.unique(np.asarray(groups), return_inverse=True)[1]
    n_patients = int(owners.max()) + 1
    random = np.random.default_rng(seed)
    rates_of: dict[float, list[tuple[float, float]]] = {alpha: [] for alpha in alphas}
    for _ in range(repeats):
        calibrates = np.isin(owners, random.permutation(n_patients)[: n_patients // 2])
        sizes = np.bincount(owners[~calibrates], minlength=n_patients)
        for alpha in alphas:
            threshold = conformal_threshold(alpha, values[calibrates], owners[calibrates])
            if threshold is None:
                rates_of[alpha].append((np.nan, np.nan))
                continue
            alarms = np.bincount(owners[~calibrates], values[~calibrates] >= threshold, minlength=n_patients)
            rates_of[alpha].append(
                (float(np.mean(alarms[sizes > 0] / sizes[sizes > 0])), float(alarms.sum() / sizes.sum()))
            )
    rows = []
    for alpha, pairs in rates_of.items():
        rates, by_image = np.array(pairs).T
        error = rates.std(ddof=1) / np.sqrt(repeats)
        rows.append(Rates(alpha, rates.mean(), error, rates.min(), rates.max(), by_image.mean()))
    return rows


def read_normals(path: str) -> tuple[list[float], list[str]]:
    """Return the scores and patients of a calibration, or of a table's rows with label 0, or without labels."""
    if path.endswith(".json"):
        calibration = Calibration.load(path)
        return list(calibration.scores), [str(group) for group in calibration.groups]
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row.get("label") or 0) == 0 and row["score"]]
    return [float(row["score"]) for row in rows], [row.get("group") or str(i) for i, row in enumerate(rows)]


def format_table(scores: list[float], groups: list[str], *, repeats: int = 200) -> str:
    """Return the rates as a table in Markdown."""
    half = len(set(groups)) // 2
    lines = [
        f"{len(scores)} normal images of {len(set(groups))} patients; {repeats} splits, {half} patients calibrate",
        "",
        "| promised | mean over splits | standard error | lowest to highest split | by image |",
        "|---|---|---|---|---|",
    ]
    for row in split_rates(scores, groups, repeats=repeats):
        rest = f"{row.mean:.4f} | {row.error:.4f} | {row.lowest:.3f} to {row.highest:.3f} | {row.by_image:.4f}"
        few = f"cannot be had: needs {patients_needed(row.alpha)} patients | | | "
        lines.append(f"| {row.alpha:g} | {few if np.isnan(row.mean) else rest} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.splits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", help="table with score, and where they exist label and group; or calibration.json")
    parser.add_argument("--repeats", type=count, default=200, help="how many splits (default: %(default)s)")
    options = parser.parse_args(arguments)
    print(format_table(*read_normals(options.scores), repeats=options.repeats))


if __name__ == "__main__":
    main()
