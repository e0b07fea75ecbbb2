# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Several bundles under one budget and protocol, beside simple baselines, in one table.

Nothing here looks at a test label to choose anything; where a row does (the direction of a single image statistic), it
says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from monai_anomaly.apps.benchmark.cell import Cell, DataSet, read_data
from monai_anomaly.apps.benchmark.figure import draw_figure
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
from monai_anomaly.apps.benchmark.table import csv_text, markdown, summarize
from monai_anomaly.apps.benchmark.variants import Variant, read_variant
from monai_anomaly.phantom.phantom import phantom_dir
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["run_benchmark"]

FORMAT = 1
"""Of the protocol and the results; another one is another protocol."""


def run_benchmark(
    bundles: Sequence[str],
    dataset_dir: Sequence[str] = (),
    *,
    seeds: Sequence[int],
    max_minutes: float,
    output_dir: str | os.PathLike[str],
    abnormal_folders: Sequence[str] = (),
    runner: Runner | None = None,
) -> bool:
    """Train and evaluate every bundle on every data set with every seed, and write and print the table.

    Finished cells in `output_dir` are kept, and failed ones are tried again.

    Args:
        bundles: what to compare; see :func:`monai_anomaly.apps.benchmark.variants.read_variant`.
        dataset_dir: folders of data sets; none takes the phantom.
        seeds: of the trainings.
        max_minutes: wall-clock budget of each training.
        output_dir: gets ``results.csv``, ``table.md``, ``figure.svg``, ``protocol.json`` and the cells' folders.
        abnormal_folders: names of further class folders of the data sets whose images are abnormal.
        runner: runs a cell in an empty folder; None takes :func:`~monai_anomaly.apps.benchmark.run_cell.run_cell`.

    Returns:
        whether all cells are done.

    Raises:
        ConfigError: for a variant that does not exist, or an `output_dir` of another protocol or that another benchmark
            is writing into; nothing was run by then.
        DataListError: for a data set that cannot be used; nothing was run by then.
    """
    check_platform("benchmark")
    variants = [read_variant(text) for text in bundles]
    data = [read_data(folder, abnormal_folders) for folder in (dataset_dir or [phantom_dir()])]
    refuse_equal("--bundles", [variant.name for variant in variants])
    refuse_equal("--dataset_dir", [data_set.name for data_set in data])
    cells = [*_cells(variants, data, seeds, max_minutes)]
    with FolderLock({"--output_dir": output_dir}):
        output = open_output(Path(output_dir).expanduser(), comparison_protocol(FORMAT, variants, data, max_minutes))
        try:
            run_all(cells, output / "cells", runner)
        finally:
            complete = _write_tables(cells, output, max_minutes)
    return complete


def _cells(
    variants: Sequence[Variant], data: Sequence[DataSet], seeds: Sequence[int], max_minutes: float
) -> Iterator[Cell]:
    """Return the baselines first, then seed by seed, so that an interrupted benchmark has something of everything."""
    yield from (Cell(data_set, None, None, max_minutes) for data_set in data)
    for seed in seeds:
        for data_set in data:
            yield from (Cell(data_set, variant, seed, max_minutes) for variant in variants)


def _write_tables(cells: Sequence[Cell], output: Path, max_minutes: float) -> bool:
    """Write and print what is known: of these cells, and of others that earlier runs left in the folder."""
    results = known_results(cells, output)
    table = summarize(results)
    text = markdown(table, max_minutes=max_minutes, threads=threads())
    atomic_write(output / "results.csv", csv_text(table))
    atomic_write(output / "figure.svg", draw_figure(table))
    atomic_write(output / "table.md", text)
    print(text)
    return all(row["status"] == "done" for result in results for row in result["rows"])
