# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Runs of the command, timed by the files that they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from measurements.archive.processes import CpuLog
from monai_anomaly.apps.archive.record_table import FOLDER

__all__ = ["Plan", "Run", "check_records", "run_command"]

LIMIT = 6 * 3600
"""Seconds after which a run is given up."""


@dataclass(frozen=True)
class Plan:
    """What all runs share.

    Args:
        files: the folder of the images.
        folder: where results go.
        checkpoint: of the detector; without a calibration beside it scores alone are written.
        shard_size: files of a shard.
        maps: as ``predict`` takes them.
    """

    files: Path
    folder: Path
    checkpoint: Path
    shard_size: int
    maps: str


@dataclass(frozen=True)
class Run:
    """A run that came to its end.

    Args:
        out: its results.
        seconds: from the command's start to its end.
        rate: files a second, once all workers are at work.
        scoring: seconds of computing of those that score, for a file.
        others: of Ray's other processes, in each second.
        elsewhere: of all other programs of the machine, in each second: how quiet it was.
    """

    out: Path
    seconds: float
    rate: float
    scoring: float
    others: float
    elsewhere: float


def run_command(
    plan: Plan,
    name: str,
    workers: int,
    *words: str,
    at_half: Callable[[int], object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run ``predict --engine ray`` to its end.

    Args:
        plan: what all runs share.
        name: of the folder for the results.
        workers: processes that score.
        *words: more of the command line.
        at_half: is called with the number of the command's process when half of the shards are done.
        environment: more variables.

    Raises:
        ValueError: when the command fails.
    """
    out = plan.folder / name
    uncalibrated = not plan.checkpoint.with_name("calibration.json").is_file()
    command = [sys.executable, "-m", "monai_anomaly", "predict", str(plan.files), str(out), "--engine", "ray"]
    command += ["--checkpoint", str(plan.checkpoint), "--uncalibrated", str(uncalibrated), "--maps", plan.maps]
    command += ["--workers", str(workers), "--shard_size", str(plan.shard_size), *words]
    # the files of the package and the tests alike, from wherever this is run
    variables = {"OMP_NUM_THREADS": "1", **os.environ, "TQDM_DISABLE": "1", **(environment or {})}
    begun = time.monotonic()
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            with CpuLog(process.pid) as log:
                if at_half is not None:
                    _await_half(out, len(list(plan.files.rglob("*.*"))) // plan.shard_size // 2, process)
                    at_half(process.pid)
                text, _ = process.communicate(timeout=LIMIT)
        except BaseException:
            process.terminate()
            raise
    seconds = time.monotonic() - begun
    if process.returncode != 0:
        raise ValueError(f"{name} ended with {process.returncode}: {text[-800:]}")
    files, start, end = _steady(out, workers)
    took = end - start
    scoring, others, elsewhere = log.between(start, end)
    return Run(out, seconds, files / took, scoring / files, others / took, elsewhere / took)


def _await_half(out: Path, shards: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and len(list((out / FOLDER).glob("*.parquet"))) < max(1, shards):
        time.sleep(0.05)


def _steady(out: Path, workers: int) -> tuple[int, float, float]:
    """Return how many files were done from when each worker had written a shard on, and between which times."""
    parts = sorted((out / FOLDER).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    first, *others = parts[workers - 1 :]
    if not others:
        raise ValueError("there are too few shards to tell how fast they are done; take more files.")
    files = sum(pq.ParquetFile(path).metadata.num_rows for path in others)
    return files, first.stat().st_mtime, parts[-1].stat().st_mtime


def check_records(out: Path, made: Counter[str], same_as: Path | None = None) -> list[str]:
    """Return what is not as it should be: one record for each file, each scored or rejected as it was made.

    Args:
        out: the results.
        made: how many files must be ``scored`` and ``rejected``.
        same_as: the results of an undisturbed run, whose scores are to be these.
    """
    rows = _rows(out)
    found = Counter(row["status"] for row in rows)
    wrong = [] if found == made else [f"{dict(found)} on the disk, {dict(made)} were made"]
    if sorted(row["index"] for row in rows) != list(range(made.total())):
        wrong.append("not one record for each file")
    if same_as is not None:
        expected = {row["index"]: row["score"] for row in _rows(same_as)}
        differ = sum(not _close(row["score"], expected.get(row["index"])) for row in rows)
        wrong += [f"{differ} scores differ"] if differ else []
    return wrong


def _rows(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / FOLDER, columns=["index", "status", "score"]).to_pylist()
    return rows


def _close(score: float | None, expected: float | None) -> bool:
    if score is None or expected is None:
        return score is expected
    return abs(score - expected) <= 1e-6 * max(1.0, abs(expected))
