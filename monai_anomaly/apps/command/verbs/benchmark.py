# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``benchmark``: bundles and simple baselines under one budget."""

from __future__ import annotations

from typing import Any

from monai_anomaly.apps.arguments import seeds
from monai_anomaly.apps.command.verbs.grid_options import add_grid_options, run_grid

__all__ = ["add_benchmark"]


def add_benchmark(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "train and evaluate bundles under one budget, and write one table beside simple baselines"
    advice = (
        "Finished cells in --output_dir are kept: the same command goes on where it was ended, and tries again what "
        "failed. Exit codes: 0 all cells are done, 1 some failed or another error, 130 interrupted (what is done is in "
        "the table)."
    )
    parser = verbs.add_parser("benchmark", help=text, description=f"{text.capitalize()}.", epilog=advice)
    parser.add_argument(
        "--bundles",
        nargs="+",
        required=True,
        metavar="VARIANT",
        help="bundles to compare, each in quotes: its folder or its name in bundles/, then overlays and KEY=VALUE, as "
        "in 'sepiad' 'sepiad se=False' 'sepiad few_normals'",
    )
    parser.add_argument(
        "--dataset_dir", nargs="+", default=(), metavar="DIR", help="folders of data sets (default: the phantom)"
    )
    parser.add_argument(
        "--seeds", type=seeds, default=[0, 1, 2], metavar="N,N", help="of the trainings (default: 0,1,2)"
    )
    add_grid_options(parser, result="table")
    parser.set_defaults(verb=_benchmark)


def _benchmark(**options: Any) -> int:
    from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark

    return run_grid(lambda: run_benchmark(**options))
