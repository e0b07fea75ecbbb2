# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the benchmark runs, and which of the numbers it keeps.

Each part is a measurement of its own, run as a user runs it, in a process of its own and with one thread, so that no
part finds another's memory or threads.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["PARTS", "Figure", "Part", "run_part"]

BUNDLES = ("sepiad", "simsid", "sagan", "ocad", "embedding")


class Figure(NamedTuple):
    """A number that a commit is judged by; less is better.

    Args:
        name: what it is of.
        value: finite.
        unit: ``"x"`` for a ratio of two times of one run, which another machine gives too; else that of a quantity.
        bar: at most this is aimed at; None for no aim.
    """

    name: str
    value: float
    unit: str = "x"
    bar: float | None = None


@dataclass(frozen=True)
class Part:
    """A measurement, and what is taken from its numbers.

    Args:
        name: of ``measurements.NAME``.
        words: of its command line.
        short: further words of the short form.
        pick: from its numbers to figures.
        folder: whether it takes a folder to work in, as its first word.
        model: whether its first word is a trained detector.
        in_short: whether the short form has it, too.
    """

    name: str
    pick: Callable[[Mapping[str, Any]], list[Figure]]
    words: Sequence[str] = ()
    short: Sequence[str] = ()
    folder: bool = False
    model: bool = False
    in_short: bool = True

    def __str__(self) -> str:
        return " ".join((self.name, *self.words))


def run_part(part: Part, folder: Path, short: bool) -> list[Figure]:
    """Run a part and return its figures; what it prints goes to standard error.

    Args:
        part: which one.
        folder: for its numbers and for what it writes.
        short: whether in a few seconds, with more noise.

    Raises:
        CalledProcessError: when it fails; it has said why.
    """
    numbers, first = folder / "numbers.json", []
    if part.folder:
        first = [str(folder)]
    if part.model:
        first = [str(folder / "models" / "model.pt")]
        training = ("--ckpt_dir", str(folder / "models"), "--output_dir", str(folder / "output"), "--max_minutes", "1")
        _run("monai_anomaly", "train", "embedding", *training)
    _run(f"measurements.{part.name}", *first, *part.words, *(part.short if short else ()), "--json", str(numbers))
    return part.pick(json.loads(numbers.read_text()))


def _run(module: str, *words: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", module, *words], check=True, stdout=sys.stderr, env=environment)


def _timings(bundle: str) -> Part:
    names = {
        "training": "training iteration over its arithmetic",
        "scoring": "scoring over the forward pass, records alone",
        "scoring_files": "scoring over the forward pass, with maps, overlays and page",
    }

    def pick(numbers: Mapping[str, Any]) -> list[Figure]:
        known = {key: numbers[key] for key in names if numbers[key] is not None}  # embedding does not descend
        return [
            Figure(f"{bundle}: {names[key]}", summary["cpu_ratio_median"], bar=summary["bar"])
            for key, summary in known.items()
        ]

    words = ("--bundle", f"bundles/{bundle}", "--images", "500")
    return Part("timings", pick, words, short=("--images", "100", "--rounds", "2", "--iterations", "3"))


def _caches(numbers: Mapping[str, Any]) -> list[Figure]:
    cases = numbers["cases"]
    figures = [
        Figure(f"training set, cache {case}: iteration over batches in memory", cases[case]["over_floor"], bar=1.3)
        for case in ("disk", "memory", "none")
    ]
    grown = (numbers["images"] - numbers["images"] // 4) / 1000
    mib = (cases["disk"]["peak_mib"] - cases["disk, a quarter"]["peak_mib"]) / grown
    figures.append(Figure("training set, cache disk: memory for a thousand images more", max(0.0, mib), "MiB"))
    return figures


def _exports(numbers: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure(f"{detector}: {kind} over eager", times[kind] / times["eager"])
        for detector, times in numbers.items()
        for kind in ("pt2", "ts", "onnx")
    ]


def _starts(numbers: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure(f"start: {name}", statistics.median(spent), "s", 6.0 if name.startswith("predict") else None)
        for name, spent in numbers.items()
    ]


def _processes(numbers: Mapping[str, Any]) -> list[Figure]:
    faster = statistics.median(numbers["ratio"])
    return [Figure("training by two processes on two cores: an image's time over that of one", 1 / faster, bar=1 / 1.7)]


PARTS = (
    *(_timings(bundle) for bundle in BUNDLES),
    Part("exports", _exports, short=("--passes", "4")),
    Part("large_training_set", _caches, ("--images", "4000"), folder=True, in_short=False),
    Part("start", _starts, short=("--rounds", "1", "--only", "predict PNG, .pt"), model=True),
    Part("processes", _processes, in_short=False),
)
"""In the order of the page."""
