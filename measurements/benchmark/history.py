# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The figures of commits, in a file that is kept with the code."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import torch

from measurements.benchmark.parts import Figure
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["HISTORY", "Entry", "new_entry", "read_history", "write_history"]

HISTORY = Path(__file__).with_name("history.json")


@dataclass(frozen=True)
class Entry:
    """What was measured of a commit.

    Args:
        commit: its short hash, with a ``+`` where the files differ from it.
        date: of the measurement, ``YYYY-MM-DD``.
        machine: cores, operating system, versions.
        figures: in the order of the parts.
    """

    commit: str
    date: str
    machine: str
    figures: list[Figure] = field(default_factory=list)

    def figure(self, name: str) -> Figure | None:
        """Return the figure of a name, None where it was not measured."""
        return next((figure for figure in self.figures if figure.name == name), None)


def new_entry(figures: Sequence[Figure]) -> Entry:
    """Return an entry for the commit that is checked out, measured today and here."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return Entry(_commit(), f"{datetime.now(timezone.utc):%Y-%m-%d}", f"{machine}, {versions}", list(figures))


def _commit() -> str:
    """Return the commit that is checked out, ``unknown`` where there is no git or no repository."""
    root = HISTORY.parent
    try:
        commit = _git("rev-parse", "--short", "HEAD", root=root)
        changed = _git("status", "--porcelain", "--untracked-files=no", root=root)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + "+" * bool(changed)


def _git(*words: str, root: Path) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def read_history(path: Path = HISTORY) -> list[Entry]:
    """Return the entries, the oldest first; none where there is no file."""
    if not path.exists():
        return []
    entries = json.loads(path.read_text())
    return [Entry(**{**entry, "figures": [Figure(**figure) for figure in entry["figures"]]}) for entry in entries]


def write_history(entries: Sequence[Entry], path: Path = HISTORY) -> None:
    """Write entries; a figure of a ratio keeps three places, which is more than two runs agree in."""
    plain = [{**asdict(entry), "figures": [_plain(figure) for figure in entry.figures]} for entry in entries]
    atomic_write(path, json.dumps(plain, indent=1) + "\n")


def _plain(figure: Figure) -> dict[str, str | float]:
    given = {**figure._asdict(), "value": float(f"{figure.value:.4g}")}
    return {key: value for key, value in given.items() if value is not None}
