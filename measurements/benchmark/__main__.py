# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The command line: ``python -m measurements.benchmark``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measurements.benchmark.history import HISTORY, new_entry, read_history, write_history
from measurements.benchmark.page import compare_entries, draw_page
from measurements.benchmark.parts import PARTS, Figure, run_part
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, compare, keep and draw; return 1 where a part failed, which leaves the others."""
    parser = argparse.ArgumentParser(prog="python -m measurements.benchmark", description=__doc__)
    names = list(dict.fromkeys(part.name for part in PARTS))
    parser.add_argument("--short", action="store_true", help="in minutes, with more noise; keeps and draws nothing")
    parser.add_argument("--parts", nargs="+", choices=names, default=names, help="which measurements (default: all)")
    parser.add_argument("--history", type=Path, default=HISTORY, metavar="FILE", help="default: the repository's")
    parser.add_argument("--page", type=Path, default=Path("output/benchmark/index.html"), metavar="FILE")
    options = parser.parse_args(arguments)
    figures, failed = _measure(options.parts, options.short)
    entry, earlier = new_entry(figures), read_history(options.history)
    others = [other for other in earlier if other.commit != entry.commit]
    print(compare_entries(entry, others[-1] if others else None))
    if failed:
        print(f"failed, and not in the table: {', '.join(failed)}", file=sys.stderr)
    elif not options.short and set(options.parts) == set(names):
        write_history([*others, entry], options.history)
        options.page.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(options.page, draw_page([*others, entry]))
        print(f"{options.history} has {len(others) + 1} commits; the page is {options.page}")
    return int(bool(failed))


def _measure(names: Sequence[str], short: bool) -> tuple[list[Figure], list[str]]:
    """Return the figures of the parts of these names, and the parts that failed."""
    figures: list[Figure] = []
    failed = []
    for part in PARTS:
        if part.name in names and (part.in_short or not short):
            try:
                with tempfile.TemporaryDirectory(prefix="monai_anomaly-benchmark-") as folder:
                    figures += run_part(part, Path(folder), short)
            except subprocess.CalledProcessError:
                failed.append(str(part))
    return figures, failed


if __name__ == "__main__":
    sys.exit(main())
