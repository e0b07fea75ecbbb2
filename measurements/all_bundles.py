# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The tables of README: every bundle and every baseline, on the phantom of every kind and on data sets of yours.

``python -m measurements.all_bundles OUT DIR ...`` is ``benchmark`` with all bundles; the same command goes on where it
was ended, and more seeds, bundles and data sets come on top. ``OUT/table.md`` and ``OUT/figure.svg`` are the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import get_args

from monai_anomaly.apps.arguments import minutes, seeds
from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark
from monai_anomaly.phantom.phantom import PhantomKind, phantom_dir
from monai_anomaly.utils.bundle_folders import known_bundles
from monai_anomaly.utils.stop_signals import watch_signals

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what has not run yet and print the table; return 0 when all is done."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.all_bundles",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output_dir", metavar="OUT", help="gets the table and a folder for each cell")
    parser.add_argument("dataset_dir", metavar="DIR", nargs="*", help="folders of data sets")
    parser.add_argument("--phantoms", type=int, choices=(0, 1), default=1, help="the phantoms, too (default: 1)")
    parser.add_argument("--bundles", nargs="+", default=known_bundles(), help="bundles to compare (default: all)")
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2], help="of the trainings (default: 0,1,2)")
    parser.add_argument("--max_minutes", type=minutes, default=2.0, help="budget of each training (default: 2)")
    options = parser.parse_args(arguments)
    watch_signals()  # ended, it still writes the table of what is done
    phantoms = [phantom_dir(kind=kind) for kind in get_args(PhantomKind)] if options.phantoms else []
    done = run_benchmark(
        options.bundles,
        [*phantoms, *options.dataset_dir],
        seeds=options.seeds,
        max_minutes=options.max_minutes,
        output_dir=options.output_dir,
    )
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
