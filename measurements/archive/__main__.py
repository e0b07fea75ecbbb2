# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How fast an archive is scored, whether anything is lost when something dies, and what ten million studies cost.

``python -m measurements.archive DIR --checkpoint MODEL.pt`` makes small files in DIR, PNG and DICOM in turn, one in a
hundred broken, unless they are there, and scores them by one and two workers, by two of which one is killed in the
middle, and by two nodes beside a head of which one is killed in the middle. Each time every file must have one record,
with the same score. Rates are of files whose shards were written once each worker had written one: without Ray's start.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measurements.archive.costs import Prices, cost_table, sizes
from measurements.archive.nodes import two_nodes
from measurements.archive.processes import kill_a_worker
from measurements.archive.runs import Plan, Run, check_records, run_command
from measurements.command_line import run_measurement
from measurements.soak import make_files
from monai_anomaly.apps.arguments import count, minutes
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["BAR", "main", "measure"]

BAR = 1.8
"""Least rate of two workers, over that of one, on two free cores."""

SHARDS = 20
"""At least so many, where there are files enough."""


def measure(
    folder: str, checkpoint: str, *, n_files: int, maps: str, only: Sequence[str], studies: int, core_hour: float
) -> None:
    """Make the files, score them and print.

    Args:
        folder: where to work; the files stay there.
        checkpoint: of the detector.
        n_files: how many files.
        maps: as ``predict`` takes them.
        only: parts of the measurement; empty for all.
        studies: whose cost is told.
        core_hour: price of an hour of a core.

    Raises:
        ValueError: when records are missing, or a bar is missed.
    """
    require_checkpoint(checkpoint)
    plan = Plan(
        Path(folder, f"files-{n_files}"),
        Path(folder, "results"),
        Path(checkpoint).absolute(),
        shard_size=max(1, min(1000, n_files // SHARDS)),
        maps=maps,
    )
    made = _files(plan.files, n_files)
    shutil.rmtree(plan.folder, ignore_errors=True)
    one = run_command(plan, "one", 1)
    wrong = _tell("1 worker", one, made, None)
    if not only or "two" in only:
        two = run_command(plan, "two", 2)
        wrong += _tell("2 workers", two, made, one.out)
        print(f"2 workers over 1: {two.rate / one.rate:.2f} (bar {BAR})", flush=True)
        if two.rate < BAR * one.rate:
            wrong.append("two workers are slower than the bar")
    if not only or "kill" in only:
        wrong += _tell("2 workers, one killed", run_command(plan, "kill", 2, at_half=kill_a_worker), made, one.out)
    if not only or "nodes" in only:
        with two_nodes() as nodes:
            run = run_command(plan, "nodes", 2, "--address", nodes.address)
            wrong += _tell("2 nodes", run, made, one.out)
            run = run_command(plan, "lost", 2, "--address", nodes.address, at_half=lambda _: nodes.kill_one())
            wrong += _tell("2 nodes, one killed", run, made, one.out)
    print(f"\n{studies:,} studies, by {one.rate:.1f} files a second of a core at {core_hour} an hour:")
    prices = Prices(core_hour=core_hour)
    print(cost_table(one.rate, sizes(one.out, n_files), studies=studies, shard_size=1000, prices=prices))
    if wrong:
        raise ValueError(f"the archive missed a bar: {'; '.join(wrong)}.")


def _files(folder: Path, n_files: int) -> Counter[str]:
    """Make the files unless they are there, and return how many must be scored and rejected."""
    known = folder.with_suffix(".json")
    if not known.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(make_files(folder, n_files)))
    return Counter(json.loads(known.read_text()))


def _tell(what: str, run: Run, made: Counter[str], same_as: Path | None) -> list[str]:
    wrong = check_records(run.out, made, same_as)
    words = "; ".join(wrong) or "every file one record" + (", the same scores" if same_as else "")
    beside = f"Ray {run.others:.2f} cores, all other programs {run.elsewhere:.2f}"
    computing = f"{1000 * run.scoring:6.1f} ms of computing each, {beside}"
    print(f"{what:<22}{run.rate:8.1f} files a second, {computing}, {run.seconds:.0f} s in all; {words}", flush=True)
    return [f"{what}: {each}" for each in wrong]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.archive", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("folder", metavar="DIR", help="where to work; the files stay there")
    parser.add_argument("--checkpoint", required=True, metavar="MODEL.pt", help="a trained detector")
    parser.add_argument("--files", dest="n_files", type=count, default=4000, help="default: %(default)s")
    parser.add_argument("--maps", default="png", choices=["png", "npz", "nifti", "none"], help="default: %(default)s")
    parser.add_argument("--only", nargs="+", default=[], choices=["two", "kill", "nodes", "none"], help="parts of it")
    parser.add_argument("--studies", type=count, default=10_000_000, help="whose cost is told (default: %(default)s)")
    parser.add_argument("--core_hour", type=minutes, default=0.04, help="price of a core (default: %(default)s)")
    options: dict[str, Any] = vars(parser.parse_args(arguments))
    return run_measurement(measure, **options)


if __name__ == "__main__":
    sys.exit(main())
