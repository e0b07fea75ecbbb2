# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Several bundles under one budget and protocol, beside simple baselines, in one table.

Nothing here looks at a test label to choose anything; where a row does (the direction of a single image statistic), it
says so.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from monai_anomaly.apps.benchmark.cell import Cell, CellError, DataSet, read_data
from monai_anomaly.apps.benchmark.figure import draw_figure
from monai_anomaly.apps.benchmark.run_cell import last_sentence, run_cell
from monai_anomaly.apps.benchmark.table import csv_text, markdown, summarize
from monai_anomaly.apps.benchmark.variants import Variant, read_variant
from monai_anomaly.phantom.phantom import phantom_dir
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import LOCK_NAME, FolderLock

__all__ = ["run_benchmark"]

FORMAT = 1
"""Of the protocol and the results; another one is another protocol."""

Runner = Callable[[Cell, Path], dict[str, Any]]


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
    if not hasattr(os, "wait4"):
        raise ConfigError("benchmark needs Linux or macOS, whose processes say what they took.")
    variants = [read_variant(text) for text in bundles]
    data = [read_data(folder, abnormal_folders) for folder in (dataset_dir or [phantom_dir()])]
    _refuse_equal("--bundles", [variant.name for variant in variants])
    _refuse_equal("--dataset_dir", [data_set.name for data_set in data])
    cells = [*_cells(variants, data, seeds, max_minutes)]
    with FolderLock({"--output_dir": output_dir}):
        output = _open_output(Path(output_dir).expanduser(), _protocol(variants, data, max_minutes))
        try:
            _run_all(cells, output / "cells", runner)
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


def _refuse_equal(option: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"{option}: two are called '{name}', and the table could not tell them apart; rename one."
            )


# ---- the output folder ---------------------------------------------------------------------------------------------


def _protocol(variants: Sequence[Variant], data: Sequence[DataSet], max_minutes: float) -> dict[str, Any]:
    """Return what must not change between two runs into one folder."""
    return {
        "format": FORMAT,
        "max_minutes": max_minutes,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "bundles": {variant.name: variant.fingerprint() for variant in variants},
        "data": {data_set.name: data_set.fingerprint for data_set in data},
    }


def _open_output(folder: Path, protocol: dict[str, Any]) -> Path:
    """Begin a folder, or see that what is in it belongs to the same protocol; bundles and data may come on top."""
    path = folder / "protocol.json"
    cure = "name another --output_dir"
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ConfigError(f"--output_dir: its protocol.json cannot be read; {cure}.") from None
        for key in ("format", "max_minutes", "OMP_NUM_THREADS"):
            if before.get(key) != protocol[key]:
                what = f"{key} {before.get(key)}, not {protocol[key]}"
                raise ConfigError(f"--output_dir holds a benchmark of another protocol ({what}); {cure}.")
        for key in ("bundles", "data"):
            for name in protocol[key].keys() & before[key].keys():
                if protocol[key][name] != before[key][name]:
                    what = f"'{name}' has changed since"
                    raise ConfigError(f"--output_dir holds a benchmark of another protocol ({what}); {cure}.")
            protocol[key] = before[key] | protocol[key]
    elif any(entry.name != LOCK_NAME for entry in folder.iterdir()):
        raise ConfigError(f"--output_dir is not empty and holds no benchmark; {cure}.")
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(protocol, indent=1) + "\n")
    return folder


def _write_tables(cells: Sequence[Cell], output: Path, max_minutes: float) -> bool:
    """Write and print what is known: of these cells, and of others that earlier runs left in the folder."""
    results = [_read_result(output / "cells" / cell.folder) or {"rows": [cell.empty_row()]} for cell in cells]
    known = {cell.folder for cell in cells}
    for folder in sorted((output / "cells").iterdir()):
        result = None if folder.name in known else _read_result(folder)
        results += [result] if result else []
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    table = summarize(results)
    text = markdown(table, max_minutes=max_minutes, threads=threads)
    atomic_write(output / "results.csv", csv_text(table))
    atomic_write(output / "figure.svg", draw_figure(table))
    atomic_write(output / "table.md", text)
    print(text)
    return all(row["status"] == "done" for result in results for row in result["rows"])


def _read_result(folder: Path) -> dict[str, Any] | None:
    """Return a cell's result; None where it has not ended."""
    try:
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except OSError:
        return None


# ---- running -------------------------------------------------------------------------------------------------------


def _run_all(cells: Sequence[Cell], folder: Path, runner: Runner | None) -> None:
    """Run what has no result yet, and what failed, one cell after the other."""
    todo = [cell for cell in cells if not _is_done(folder / cell.folder)]
    minutes = sum(cell.max_minutes for cell in todo if cell.variant)
    kept = f"{len(cells) - len(todo)} of {len(cells)} cells are done; " if len(todo) < len(cells) else ""
    _say(f"{kept}{len(todo)} to run, {minutes:.0f} minutes of training and some for start and evaluation.")
    for number, cell in enumerate(todo, start=1):
        start, title = time.monotonic(), f"[{number}/{len(todo)}] {cell.title}"
        result = _run_one(cell, folder / cell.folder, runner or partial(run_cell, title=title))
        _say(f"{title}: {_outcome(result)} ({time.monotonic() - start:.0f} s)")


def _is_done(folder: Path) -> bool:
    result = _read_result(folder)
    return result is not None and all(row["status"] == "done" for row in result["rows"])


def _run_one(cell: Cell, folder: Path, runner: Runner) -> dict[str, Any]:
    """Run a cell and keep its result; what was there is begun anew, because a budget cannot be resumed."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    try:
        result = runner(cell, folder)
    except CellError as error:
        result = {"rows": [cell.empty_row() | {"status": "failed", "reason": str(error)}]}
    except Exception as error:  # whatever it is, it must not cost the other cells
        reason = last_sentence(f"{type(error).__name__}: {error}")
        result = {"rows": [cell.empty_row() | {"status": "failed", "reason": reason}]}
    atomic_write(folder / "result.json", json.dumps(result, allow_nan=False) + "\n")
    return result


def _outcome(result: dict[str, Any]) -> str:
    rows = result["rows"]
    failed = [row for row in rows if row["status"] != "done"]
    if failed:
        return f"failed: {failed[0]['reason']}"
    return f"AUROC {rows[0]['auroc']:.3f}" if len(rows) == 1 else f"{len(rows)} scored"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
