# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the verbs share that train in many cells and keep each one that is done."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from monai_anomaly.apps.arguments import folder_names, minutes
from monai_anomaly.apps.command.failing import fail
from monai_anomaly.utils.stop_signals import watch_signals

__all__ = ["add_grid_options", "run_grid"]


def add_grid_options(parser: argparse.ArgumentParser, result: str) -> None:
    """Add the options for the budget, the data sets' class folders and the output.

    Args:
        parser: of the verb.
        result: what the output folder gets beside its cells.
    """
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
    parser.add_argument(
        "--output_dir", required=True, metavar="OUT", help=f"gets the {result} and a folder for each cell"
    )


def run_grid(run: Callable[[], bool]) -> int:
    """Run all cells, and return the exit code: 0 when ``run`` says that all are done."""
    from monai_anomaly.data.errors import DataListError

    watch_signals()
    try:
        return 0 if run() else 1
    except DataListError as error:
        return fail(error, 1)
    except OSError as error:
        return fail(f"--output_dir cannot be written ({error.strerror}); make room for it or name another.", 1)
