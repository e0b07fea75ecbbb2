# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly <verb>``: what a bundle cannot do.

Exit codes: 0 done, 1 an error that the message explains, 2 a command line that makes no sense.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from monai_anomaly.utils.exceptions import CheckpointError, ConfigError, TrainingError, WeightsError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit code; verbs import what they need, so that help and mistakes answer at once."""
    options = vars(_parser().parse_args(arguments))
    verb = options.pop("verb")
    try:
        verb(**options)
    except (CheckpointError, ConfigError, TrainingError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monai_anomaly",
        description="What a bundle cannot do; training, evaluation and inference are 'python -m monai.bundle run'.",
    )
    _add_benchmarks(parser.add_subparsers(title="verbs", required=True, metavar="verb"))
    return parser


def _add_benchmarks(verbs: Any) -> None:
    text = "time a training iteration and the scoring of a folder against the network's bare arithmetic"
    advice = (
        "On a machine that others use too, set OMP_NUM_THREADS=1: threads that wait for one on a busy core make both "
        "sides several times slower and the ratios meaningless."
    )
    parser = verbs.add_parser("benchmarks", help=text, description=f"{text.capitalize()}.", epilog=advice)
    parser.add_argument("--bundle", default="bundles/sepiad", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--images", type=_count, default=1000, help="pictures to score (default: %(default)s)")
    parser.add_argument("--rounds", type=_count, default=8, help="times that both sides run (default: %(default)s)")
    parser.add_argument("--iterations", type=_count, default=25, help="of training, a round (default: %(default)s)")
    for config in ("train", "inference"):
        parser.add_argument(
            f"--{config}",
            type=_override,
            action="append",
            metavar="KEY=VALUE",
            help=f"override of {config}.json, the value in JSON; may be repeated",
        )
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to a file")
    parser.set_defaults(verb=_benchmarks)


def _benchmarks(json: str | None, train: Any, inference: Any, **options: Any) -> None:
    from monai_anomaly.apps.benchmarks import benchmark

    benchmark(**options, train=dict(train or ()), inference=dict(inference or ()), json_path=json)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got '{text}'")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


if __name__ == "__main__":
    sys.exit(main())
