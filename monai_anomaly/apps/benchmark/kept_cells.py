# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The folder of a benchmark: cells that are done are kept, and a run goes on where another was ended."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from monai_anomaly.apps.benchmark.cell import Cell, CellError, DataSet
from monai_anomaly.apps.benchmark.run_cell import last_sentence, run_cell
from monai_anomaly.apps.benchmark.variants import Variant
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import LOCK_NAME

__all__ = [
    "Runner",
    "check_platform",
    "comparison_protocol",
    "known_results",
    "open_output",
    "read_result",
    "refuse_equal",
    "run_all",
    "threads",
]

Runner = Callable[[Cell, Path], dict[str, Any]]
"""Runs a cell in an empty folder; see :func:`~monai_anomaly.apps.benchmark.run_cell.run_cell`."""


def check_platform(verb: str) -> None:
    """Refuse a platform on which a process cannot be measured.

    Raises:
        ConfigError: there.
    """
    if not hasattr(os, "wait4"):
        raise ConfigError(f"{verb} needs Linux or macOS, whose processes say what they took.")


def threads() -> str:
    """Return ``OMP_NUM_THREADS``, which a protocol names."""
    return os.environ.get("OMP_NUM_THREADS", "not set")


def refuse_equal(option: str, names: Sequence[str]) -> None:
    """Refuse names that a table could not tell apart.

    Raises:
        ConfigError: for two that are equal.
    """
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"{option}: two are called '{name}', and the table could not tell them apart; rename one."
            )


def open_output(folder: Path, protocol: dict[str, Any]) -> Path:
    """Begin a folder, or see that what is in it belongs to the same protocol.

    Args:
        folder: exists.
        protocol: what must not change between two runs; of its mappings (``bundles``, ``data``) entries may come on
            top.

    Raises:
        ConfigError: for a folder of another protocol, or one that holds anything else.
    """
    path = folder / "protocol.json"
    cure = "name another --output_dir"
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ConfigError(f"--output_dir: its protocol.json cannot be read; {cure}.") from None
        for key in [key for key, value in protocol.items() if not isinstance(value, dict)]:
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


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return a cell's result; None where it has not ended."""
    try:
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except OSError:
        return None


def run_all(cells: Sequence[Cell], folder: Path, runner: Runner | None) -> None:
    """Run what has no result yet, and what failed or is not all there, one cell after the other.

    Args:
        cells: all that is wanted.
        folder: has a folder for each of them.
        runner: runs a cell; None takes :func:`~monai_anomaly.apps.benchmark.run_cell.run_cell`.
    """
    todo = [cell for cell in cells if not _is_done(folder / cell.folder)]
    minutes = sum(cell.max_minutes for cell in todo if cell.variant)
    kept = f"{len(cells) - len(todo)} of {len(cells)} cells are done; " if len(todo) < len(cells) else ""
    _say(f"{kept}{len(todo)} to run, {minutes:.0f} minutes of training and some for start and evaluation.")
    for number, cell in enumerate(todo, start=1):
        start, title = time.monotonic(), f"[{number}/{len(todo)}] {cell.title}"
        result = _run_one(cell, folder / cell.folder, runner or partial(run_cell, title=title))
        _say(f"{title}: {_outcome(result)} ({time.monotonic() - start:.0f} s)")


def _is_done(folder: Path) -> bool:
    result = read_result(folder)
    if result is None or result.get("left_out"):
        return False
    return all(row["status"] == "done" for row in result["rows"])


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
    if len(rows) == 1:
        return f"AUROC {rows[0]['auroc']:.3f}"
    return f"{len(rows)} scored" + (f"; {result['left_out']}" if result.get("left_out") else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def comparison_protocol(
    form: int | str, variants: Sequence[Variant], data: Sequence[DataSet], max_minutes: float
) -> dict[str, Any]:
    """Return what must not change between two runs into one folder."""
    return {
        "format": form,
        "max_minutes": max_minutes,
        "OMP_NUM_THREADS": threads(),
        "bundles": {variant.name: variant.fingerprint() for variant in variants},
        "data": {data_set.name: data_set.fingerprint for data_set in data},
    }


def known_results(cells: Sequence[Cell], output: Path) -> list[dict[str, Any]]:
    """Return what is known of these cells, and of others that earlier runs left in the folder."""
    results = [read_result(output / "cells" / cell.folder) or {"rows": [cell.empty_row()]} for cell in cells]
    known = {cell.folder for cell in cells}
    for folder in sorted((output / "cells").iterdir()):
        result = None if folder.name in known else read_result(folder)
        results += [result] if result else []
    return results
