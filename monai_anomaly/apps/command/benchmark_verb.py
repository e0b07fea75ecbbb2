# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``benchmark``: bundles and simple baselines under one budget."""

from __future__ import annotations

from typing import Any

from monai_anomaly.apps.arguments import folder_names, minutes, seeds
from monai_anomaly.apps.command.failing import fail
from monai_anomaly.utils.stop_signals import watch_signals

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
    parser.add_argument(
        "--max_minutes", type=minutes, required=True, metavar="N", help="wall-clock budget of a training"
    )
    parser.add_argument(
        "--abnormal_folders",
        type=folder_names,
        default=(),
        metavar="NAMES",
        help="further class folders of the data sets whose images are abnormal, as in \"['cyst','tumor']\", or '*' for "
        "every folder beside the normal one",
    )
    parser.add_argument("--output_dir", required=True, metavar="OUT", help="gets the table and a folder for each cell")
    parser.set_defaults(verb=_benchmark)


def _benchmark(**options: Any) -> int:
    from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark
    from monai_anomaly.data.errors import DataListError

    watch_signals()
    try:
        return 0 if run_benchmark(**options) else 1
    except DataListError as error:
        return fail(error, 1)
    except OSError as error:
        return fail(f"--output_dir cannot be written ({error.strerror}); make room for it or name another.", 1)
