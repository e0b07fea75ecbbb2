# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training on very many images takes: memory, the start, and an iteration, wherever the images are kept.

``python -m measurements.large_training_set DIR`` makes gray PNG files in DIR (once; 20,000 of 256 x 256 pixels) and
begins a bundle's training on them, each in a process of its own: with an empty cache on disk, with a full one, with
one of a quarter of the images (empty at first), in memory, and with none. An iteration is compared with the same one on
batches that lie in memory, epoch by epoch in turn. From the two sizes it estimates what a million images would take.

A bundle that is solved in one pass, such as the embedding, is trained whole: its iteration is a batch of that pass,
which is compared with nothing, and what is done with all images before the pass belongs to the start.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from pydoc import locate
from typing import Any

import numpy as np
from PIL import Image

from measurements.bundle_config import read_config, run_training
from measurements.command_line import THREADS_ADVICE, add_json, add_overrides, run_measurement
from measurements.comparison import write_numbers
from measurements.epoch_timer import EpochTimer
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.objectives.base import SolvedObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["main", "make_pictures", "measure_training"]

CASES = ("disk, first start", "disk", "disk, a quarter, first start", "disk, a quarter", "memory", "none")
QUARTER = "a quarter"
HELD_OUT = 40
"""Images of the validation section, which is there to be there."""
KEPT_BATCHES = 4
MILLION = 1_000_000


def make_pictures(folder: Path, number: int, size: int) -> None:
    """Write pictures that all differ, and a data list of all and of a quarter; those that are there stay.

    Args:
        folder: where; it may have such pictures.
        number: of training pictures.
        size: rows and columns.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(size), np.arange(size)) * (128.0 / (2 * size))
    entries = []
    for index in range(number + HELD_OUT):
        name, drawn = f"pictures/{index:07d}.png", coarse.integers(0, 64, (8, 8))
        entries.append({"image": name, "label": 0, "group": f"{index}"})
        if not (folder / name).exists():
            blocks = np.kron(drawn, np.ones((-(-size // 8), -(-size // 8))))[:size, :size]
            Image.fromarray((ramp + blocks).astype(np.uint8)).save(folder / name, compress_level=1)
    for part, training in (("all", entries[HELD_OUT:]), (QUARTER, entries[HELD_OUT : HELD_OUT + number // 4])):
        sections = {"training": training, "validation": entries[:HELD_OUT]}
        (folder / part).mkdir(exist_ok=True)
        moved = {
            key: [{**entry, "image": f"../{entry['image']}"} for entry in value] for key, value in sections.items()
        }
        (folder / part / "dataset.json").write_text(json.dumps(moved))


class _TwoLoaders:
    """Gives the loader's batches in one epoch, and a few that lie in memory in the next."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.kept = list(itertools.islice(iter(loader), KEPT_BATCHES))
        self.from_memory = False

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(itertools.cycle(self.kept), len(self)) if self.from_memory else iter(self.loader)


class _Turns(EpochTimer):
    """Times epochs with batches of the loader and of memory in turn; the first two are to warm up."""

    def __init__(self, loaders: _TwoLoaders) -> None:
        super().__init__()
        self.loaders = loaders
        self.spans: dict[bool, list[Span]] = {False: [], True: []}
        self.ended = Stopwatch()

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Note the epoch, and turn."""
        if trainer.state.epoch > 2:
            self.spans[self.loaders.from_memory].append(self.iterations)
        self.loaders.from_memory = not self.loaders.from_memory
        self.ended = Stopwatch()

    def told(self) -> dict[str, float]:
        """Return the processor time of an iteration, and of one from memory."""
        ours, floor = ([span.cpu / len(self.loaders) for span in self.spans[kind]] for kind in (False, True))
        return {
            "iteration_cpu_s": float(np.median(ours)),
            "floor_cpu_s": float(np.median(floor)),
            "over_floor": float(np.median([a / b for a, b in zip(ours, floor, strict=True)])),
        }


class _OnePass(EpochTimer):
    """Times the one pass of an objective that is solved at its end."""

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Note the pass, behind the solution."""
        self.cpu = self.iterations.cpu / (trainer.state.epoch_length or 1)
        self.ended = Stopwatch()

    def told(self) -> dict[str, float]:
        """Return the processor time of an iteration of the pass."""
        return {"iteration_cpu_s": self.cpu}


def measure_training(bundle: str, folder: Path, settings: dict[str, Any], epochs: int) -> dict[str, float]:
    """Train in this process, and return what it took.

    Args:
        bundle: the bundle's folder.
        folder: where the training writes.
        settings: of its configuration.
        epochs: that are timed, of each kind; a bundle that is solved has one pass.
    """
    written: dict[str, Any] = {"output_dir": str(folder / "output"), "ckpt_dir": str(folder / "models")}
    written["max_epochs"] = 2 * epochs + 2
    never = {"val_interval": 10**6, "save_interval": 10**6}
    solved = _is_solved(bundle)
    if solved:
        written["max_epochs"] = 1
        settings = {key: value for key, value in settings.items() if key != "epoch_length"}
    config = read_config(bundle, "train", {**written, **never, **settings}, None)
    config.get_parsed_content("initialize")
    before, start = peak_mib(), Stopwatch()
    result: dict[str, float] = {}
    timers: list[_Turns | _OnePass] = []

    def attach() -> None:
        result.update(start_s=start.read().wall, start_cpu_s=start.read().cpu, start_mib=peak_mib())
        trainer: ObjectiveTrainer = config.get_parsed_content("train::trainer")
        if solved:
            timers.append(_OnePass())
        else:
            loaders = _TwoLoaders(trainer.data_loader)
            trainer.data_loader = loaders  # type: ignore[assignment]  # all that the engine asks of it is there
            timers.append(_Turns(loaders))
        timers[0].attach(trainer)

    run_training(config, attach)
    end = timers[0].ended.read().wall
    return {**result, "before_mib": before, "peak_mib": peak_mib(), **timers[0].told(), "end_s": end}


def _is_solved(bundle: str) -> bool:
    """Whether a bundle's training is one pass with a solution at its end."""
    objective: Any = locate(read_config(bundle, "train", {}, None)["train::objective"]["_target_"])
    return issubclass(objective, SolvedObjective)


def peak_mib() -> float:
    """Return the most memory that this process has had, in MiB; \\*nix's ``ru_maxrss`` would be its parent's, too."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def compare_caches(
    folder: str,
    *,
    bundle: str = "bundles/sagan",
    images: int = 20_000,
    size: int = 256,
    epochs: int = 3,
    cases: Sequence[str] = CASES,
    train: Sequence[tuple[str, Any]] = (),
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure all cases and print a table.

    Args:
        folder: for pictures, caches and trainings; they stay.
        bundle: the bundle's folder.
        images: number of training images.
        size: their rows and columns.
        epochs: that are timed, of each kind.
        cases: of :data:`CASES`.
        train: overrides of ``train.json``.
        json_path: where to write the numbers, if anywhere.
    """
    root = Path(folder).expanduser().absolute()
    numbers: dict[str, dict[str, float]] = {}
    start = time.perf_counter()
    make_pictures(root, images, size)
    print(f"{images} pictures of {size} x {size} pixels are there after {time.perf_counter() - start:.0f} s")
    print(f"{'':<30}{'start':>10}{'cpu':>10}{'peak':>12}{'iteration':>12}{'over floor':>12}{'end':>10}")
    for case in cases:
        if case == CASES[0]:
            for path in (root / "cache").glob("*.images"):
                path.unlink()
        settings = {
            "dataset_dir": str(root / (QUARTER if QUARTER in case else "all")),
            "allow_outside": str(root / "pictures"),
            "cache": case.partition(",")[0],
            "cache_dir": str(root / "cache"),
            **{"image_size": size, "device": "cpu", "epoch_length": 8, "batch_size": 8, "use_pool": False},
            **dict(train),
        }
        words = [sys.executable, "-m", __spec__.name, str(root), "--one", json.dumps(settings)]
        words += ["--bundle", bundle, "--epochs", str(epochs)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        numbers[case] = one = json.loads(done.stdout.splitlines()[-1])
        told = f"{one['start_s']:>8.1f} s{one['start_cpu_s']:>8.1f} s{one['peak_mib']:>8.0f} MiB"
        told += f"{1e3 * one['iteration_cpu_s']:>9.0f} ms{one.get('over_floor', np.nan):>12.3f}{one['end_s']:>8.1f} s"
        print(f"{case:<30}{told}", flush=True)
    million = _estimate(numbers, images)
    result = {"images": images, "size": size, "cases": numbers, "million": million}
    for name, value in million.items():
        print(f"a million images, from the two sizes on disk: {name} {value:.0f}")
    write_numbers(json_path, result)
    return result


def _estimate(numbers: dict[str, dict[str, float]], images: int) -> dict[str, float]:
    """Return what a million images would take, on the line through both sizes."""
    if not {"disk", CASES[3]} <= numbers.keys():
        return {}
    whole, part = numbers["disk"], numbers[CASES[3]]
    grown = images - images // 4
    return {
        name: whole[name] + (MILLION - images) * (whole[name] - part[name]) / grown
        for name in ("peak_mib", "start_cpu_s", "start_s")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m measurements.large_training_set", epilog=THREADS_ADVICE)
    parser.add_argument("folder", metavar="DIR", help="for pictures and caches: 130 KB for each image of 256 pixels")
    parser.add_argument("--bundle", default="bundles/sagan", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--images", type=count, default=20_000, help="training images (default: %(default)s)")
    parser.add_argument("--size", type=count, default=256, help="rows and columns (default: %(default)s)")
    parser.add_argument("--epochs", type=count, default=3, help="epochs that are timed (default: %(default)s)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="which ones (default: all)")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    add_overrides(parser, "train")
    add_json(parser)
    options = vars(parser.parse_args(arguments))
    one, epochs = options.pop("one"), options["epochs"]
    if one is None:
        return run_measurement(compare_caches, **options)
    with redirect_stdout(sys.stderr):
        told = measure_training(options["bundle"], Path(options["folder"]) / "training", one, epochs)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
