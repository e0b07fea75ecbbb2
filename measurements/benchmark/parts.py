# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the benchmark runs, and which of the numbers it keeps.

Each part is a measurement of its own, run as a user runs it, in a process of its own and with one thread, so that no
part finds another's memory or threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["PARTS", "Figure", "Part", "run_part"]

BUNDLES = ("sepiad", "simsid", "sagan", "ocad", "embedding")
SCORING_BARS = {"sepiad": 1.4, "simsid": 1.4, "sagan": 1.8, "ocad": 2.2, "embedding": 1.5}


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
    """

    name: str
    pick: Callable[[Mapping[str, Any]], list[Figure]]
    words: Sequence[str] = ()
    short: Sequence[str] = ()
    folder: bool = False

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
    numbers = folder / "numbers.json"
    words = [sys.executable, "-m", f"measurements.{part.name}", *([str(folder)] if part.folder else ()), *part.words]
    words += [*(part.short if short else ()), "--json", str(numbers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(words, check=True, stdout=sys.stderr, env=environment)
    return part.pick(json.loads(numbers.read_text()))


def _timings(bundle: str) -> Part:
    def pick(numbers: Mapping[str, Any]) -> list[Figure]:
        training, scoring = numbers["training"], numbers["scoring"]
        return [
            Figure(f"{bundle}: training iteration over its arithmetic", training["cpu_ratio_median"], bar=1.25),
            Figure(f"{bundle}: scoring over the forward pass", scoring["cpu_ratio_median"], bar=SCORING_BARS[bundle]),
        ]

    words = ("--bundle", f"bundles/{bundle}", "--images", "500")
    return Part("timings", pick, words, short=("--images", "100", "--rounds", "3", "--iterations", "5"))


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


PARTS = (
    *(_timings(bundle) for bundle in BUNDLES),
    Part("exports", _exports, short=("--passes", "4")),
    Part("large_training_set", _caches, ("--images", "4000"), short=("--images", "400", "--epochs", "1"), folder=True),
)
"""In the order of the page."""
