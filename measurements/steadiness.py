# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much a training's result depends on what should not matter: seeds, threads, rounding, the version of PyTorch.

``python -m measurements.steadiness --bundle bundles/sepiad --seeds 10 --threads 1,2 --table steadiness.csv`` trains a
bundle with its default recipe, again and again, and prints the ROC AUC of its test section and the spread.
``--perturb 1e-6`` changes the initial weights by so much, which does to the training what other rounding does: it shows
on one machine what others would give.

Each run adds its row to the table at once, and a run whose row is there is not made again: a measurement that was ended
goes on, and an interpreter with another PyTorch adds its rows to the same table.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism
from sklearn.metrics import roc_auc_score
from torch import nn

from measurements.bundle_config import read_config, run_training
from measurements.command_line import add_overrides, run_measurement
from monai_anomaly.apps.arguments import count
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.sets.cached import CachedDataset

__all__ = ["format_table", "main", "measure", "perturb", "train_once"]

SECTIONS = ("validation", "test")
SETTINGS = ("bundle", "overlays", "overrides", "perturb", "torch", "threads", "seed")
COLUMNS = (*SETTINGS, *SECTIONS, "seconds")
Row = dict[str, str]


def measure(
    bundle: str | os.PathLike[str],
    *,
    table: str | os.PathLike[str],
    number: int = 10,
    threads: Sequence[int] = (1,),
    perturbation: float = 0.0,
    overlays: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Make the runs that the table has not, and print the spread of those that were asked for.

    Args:
        bundle: the bundle's folder.
        table: the file that the rows are added to.
        number: of seeds, from 0.
        threads: numbers of threads.
        perturbation: see :func:`perturb`.
        overlays: configurations to lay over the training's.
        overrides: of the training's configuration.

    Returns:
        The rows of the runs that were asked for.

    Raises:
        ConfigError: when `bundle` is no bundle, or does not know an override.
    """
    found = {_key(row): row for row in _read(Path(table))}
    rows = []
    for count_of_threads in threads:
        for seed in range(number):
            row = {
                "bundle": Path(bundle).name,
                "overlays": " ".join(overlays),
                "overrides": " ".join(f"{key}={value}" for key, value in sorted((overrides or {}).items())),
                "perturb": f"{perturbation:g}",
                "torch": torch.__version__,
                "threads": str(count_of_threads),
                "seed": str(seed),
            }
            if _key(row) not in found:
                torch.set_num_threads(count_of_threads)
                result = train_once(bundle, seed, perturbation=perturbation, overlays=overlays, overrides=overrides)
                row |= {name: f"{value:.4f}" for name, value in result.items()}
                _add(Path(table), row)
                print(" ".join(f"{name}={row[name]}" for name in (*SETTINGS[4:], *COLUMNS[7:])), file=sys.stderr)
            rows.append(found.get(_key(row), row))
    print(format_table(rows))
    return rows


def train_once(
    bundle: str | os.PathLike[str],
    seed: int,
    *,
    perturbation: float = 0.0,
    overlays: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Train in a temporary folder, and return the AUC of each section and the seconds; arguments as :func:`measure`."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-steadiness-") as folder, redirect_stdout(sys.stderr):
        places = {"output_dir": f"{folder}/output", "ckpt_dir": f"{folder}/models"}
        config = read_config(bundle, "train", {"seed": seed, **places}, overrides, overlays)
        set_determinism(seed)
        network = config.get_parsed_content("network")
        perturb(network, perturbation, seed)
        run_training(config, lambda: None)
        return {**{s: _auc(config, network, s) for s in SECTIONS}, "seconds": time.monotonic() - start}


@torch.no_grad()
def perturb(network: nn.Module, size: float, seed: int) -> None:
    """Multiply each weight by one plus a normal number of this size."""
    generator = torch.Generator().manual_seed(seed)
    for weight in network.parameters() if size else ():
        weight.mul_(1.0 + size * torch.randn(weight.shape, generator=generator).to(weight.device))


@torch.no_grad()
def _auc(config: ConfigParser, network: nn.Module, section: str) -> float:
    """Score a section as an evaluation does."""

    def setting(key: str) -> Any:
        return config.get_parsed_content(key)

    preprocessing = setting("train::preprocessing")
    items = load_datalist(
        setting("dataset_dir"),
        section,
        seed=setting("split_seed"),
        split_shares=setting("split_shares"),
        abnormal_folders=setting("abnormal_folders"),
    )
    frames = expand_frames(items, setting("frames"), preprocessing.count_frames)
    images = CachedDataset(frames, preprocessing).images[:].to(setting("device"))
    network.eval()
    scores = torch.cat([network(batch).mean(dim=(1, 2, 3)) for batch in images.split(32)])
    return float(roc_auc_score([frame["label"] for frame in frames], scores.cpu()))


def format_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the spread of the sections' AUC over the seeds, for each way to run, as a table in Markdown."""
    lines = ["| torch | threads | seeds | section | worst | median | best |", "|---|---|---|---|---|---|---|"]
    for way in sorted({(row["torch"], row["threads"]) for row in rows}):
        of_way = [row for row in rows if (row["torch"], row["threads"]) == way]
        for section in SECTIONS:
            values = [float(row[section]) for row in of_way]
            spread = f"{min(values):.3f} | {statistics.median(values):.3f} | {max(values):.3f}"
            lines.append(f"| {way[0]} | {way[1]} | {len(values)} | {section} | {spread} |")
    return "\n".join(lines)


def _key(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in SETTINGS)


def _read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _add(path: Path, row: Row) -> None:
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def _counts(text: str) -> list[int]:
    """Return whole numbers from 1, written with commas between."""
    return [count(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.steadiness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", required=True, help="folder of the bundle")
    parser.add_argument("--seeds", dest="number", type=count, default=10, help="how many (default: %(default)s)")
    parser.add_argument(
        "--threads", type=_counts, default=[1], help="numbers of threads, with commas between (default: 1)"
    )
    parser.add_argument("--perturb", dest="perturbation", type=float, default=0.0, help="of the initial weights")
    parser.add_argument("--overlay", dest="overlays", action="append", default=[], help="such as few_normals")
    parser.add_argument("--table", default="steadiness.csv", help="rows are added to it (default: %(default)s)")
    add_overrides(parser, "train")
    options = vars(parser.parse_args(arguments))
    return run_measurement(measure, overrides=dict(options.pop("train")), **options)


if __name__ == "__main__":
    sys.exit(main())
