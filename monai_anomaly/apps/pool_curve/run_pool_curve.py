# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an unlabeled pool is worth: bundles with pools of several sizes and shares of abnormal images, and without."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_anomaly.apps.benchmark.cell import Cell, DataSet, read_data
from monai_anomaly.apps.benchmark.kept_cells import (
    Runner,
    check_platform,
    comparison_protocol,
    known_results,
    open_output,
    refuse_equal,
    run_all,
    threads,
)
from monai_anomaly.apps.benchmark.run_cell import run_cell
from monai_anomaly.apps.benchmark.variants import read_variant
from monai_anomaly.apps.pool_curve.curve_figure import draw_curve
from monai_anomaly.apps.pool_curve.curve_table import COLUMNS, markdown, point_rows, summarize_curve
from monai_anomaly.apps.pool_curve.pool_cell import PoolCell, pool_cells
from monai_anomaly.apps.pool_curve.pool_splits import pool_facts, write_split
from monai_anomaly.apps.pool_curve.solved_cells import SolvedRunner
from monai_anomaly.utils import spreadsheet
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["run_pool_curve"]

FORMAT = "pool curve 1"
"""Of the protocol and the results; another one is another protocol."""


def run_pool_curve(
    bundles: Sequence[str],
    dataset_dir: Sequence[str],
    *,
    shares: Sequence[float | None],
    sizes: Sequence[int | None],
    splits: int,
    max_minutes: float,
    output_dir: str | os.PathLike[str],
    abnormal_folders: Sequence[str] = (),
    runner: Runner | None = None,
) -> bool:
    """Train and evaluate every bundle with every pool on every split, and write and print the curve.

    In each split half of the test patients are the pool, and the others are tested. Finished cells in `output_dir` are
    kept, and failed ones are tried again.

    Args:
        bundles: what to compare; see :func:`monai_anomaly.apps.benchmark.variants.read_variant`. They learn from a
            pool.
        dataset_dir: folders of data sets.
        shares: of abnormal images in the pool; None for the pool as it comes.
        sizes: of the pool; None for all that a share allows.
        splits: how many.
        max_minutes: wall-clock budget of each training.
        output_dir: gets ``results.csv``, ``curve.json``, ``table.md``, ``figure.svg``, ``protocol.json``, the splits'
            lists and the cells' folders.
        abnormal_folders: names of further class folders of the data sets whose images are abnormal.
        runner: runs a cell in an empty folder.

    Returns:
        whether all cells are done, but for pools that a data set is too small for.

    Raises:
        ConfigError: for a variant that does not exist or learns from no pool, or an `output_dir` of another protocol or
            that another run is writing into; nothing was run by then.
        DataListError: for a data set that cannot be used; nothing was run by then.
    """
    check_platform("pool_curve")
    variants = [read_variant(text) for text in bundles]
    data = [read_data(folder, abnormal_folders) for folder in dataset_dir]
    refuse_equal("--bundles", [variant.name for variant in variants])
    refuse_equal("--dataset_dir", [data_set.name for data_set in data])
    [*pool_cells(variants, [data], sizes, shares, max_minutes)]  # checks the variants before a folder is made
    with FolderLock({"--output_dir": output_dir}):
        output = open_output(
            Path(output_dir).expanduser().absolute(), comparison_protocol(FORMAT, variants, data, max_minutes)
        )
        drawn = [[_split(of, number, output / "splits") for of in data] for number in range(splits)]
        cells = [*pool_cells(variants, drawn, sizes, shares, max_minutes)]
        try:
            run_all(cells, output / "cells", _checked(runner or SolvedRunner(run_cell)))
        finally:
            complete = _write_tables(cells, output, max_minutes)
    return complete


def _split(data: DataSet, number: int, folder: Path) -> DataSet:
    """Write a split and return it under the data set's name."""
    place = folder / f"{number}" / data.name
    write_split(data.folder, number, place, data.abnormal_folders)
    return replace(read_data(place), name=data.name)


def _checked(runner: Runner) -> Runner:
    """Return a runner that runs no cell whose pool cannot be drawn."""

    def run(cell: Cell, folder: Path) -> dict[str, Any]:
        assert isinstance(cell, PoolCell)
        row = cell.empty_row()
        if cell.draw.used:
            facts = pool_facts(cell.data.folder, cell.draw.size, cell.draw.share)
            row |= {"n_pool": facts.n_pool, "n_pool_abnormal": facts.n_abnormal}
            if facts.reason:
                return {"rows": [row | {"status": "not possible", "reason": facts.reason}]}
        result = runner(cell, folder)
        return result | {"rows": [row | result["rows"][0] | {key: row[key] for key in ("n_pool", "n_pool_abnormal")}]}

    return run


def _write_tables(cells: Sequence[PoolCell], output: Path, max_minutes: float) -> bool:
    """Write and print what is known of these cells, and of others that earlier runs left in the folder."""
    results = known_results(cells, output)
    points = summarize_curve(results)
    text = markdown(points, max_minutes=max_minutes, threads=threads())
    rows = [{column: row.get(column) for column in COLUMNS} for result in results for row in result["rows"]]
    atomic_write(output / "results.csv", spreadsheet.csv_text(COLUMNS, rows))
    atomic_write(output / "curve.json", json.dumps(point_rows(points), indent=1, allow_nan=False) + "\n")
    atomic_write(output / "figure.svg", draw_curve(points))
    atomic_write(output / "table.md", text)
    print(text)
    return all(row["status"] in ("done", "not possible") for row in rows)
