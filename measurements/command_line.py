# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the command lines of the measurements share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.exceptions import TrainingError, WeightsError

__all__ = ["THREADS_ADVICE", "add_json", "add_overrides", "add_rounds", "override", "run_measurement"]

THREADS_ADVICE = (
    "On a machine that others use too, set OMP_NUM_THREADS=1: threads that wait for one on a busy core make both sides "
    "several times slower and the ratios meaningless."
)


def add_rounds(parser: argparse.ArgumentParser) -> None:
    """Add ``--rounds``."""
    parser.add_argument("--rounds", type=count, default=8, help="times that both sides run (default: %(default)s)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``, which gives `json_path`."""
    parser.add_argument("--json", dest="json_path", metavar="FILE", help="also write the numbers to a file")


def add_overrides(parser: argparse.ArgumentParser, config: str) -> None:
    """Add ``--CONFIG KEY=VALUE``, which gives pairs of a key and a value."""
    parser.add_argument(
        f"--{config}",
        type=override,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"override of {config}.json, the value in JSON; may be repeated",
    )


def override(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``, the value as JSON where it is some, else as a text."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got '{text}'")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def run_measurement(measure: Callable[..., object], **options: Any) -> int:
    """Measure, and return the exit code: 1 for an error that its sentence explains."""
    try:
        measure(**options)
    except (ValueError, TrainingError, WeightsError) as error:  # of configuration, checkpoint and data, too
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
