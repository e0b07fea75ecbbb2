# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``drift``: whether what a period brought is like what the detector was calibrated on."""

from __future__ import annotations

import argparse
from typing import Any

from monai_anomaly.apps.arguments import count, finite

__all__ = ["add_drift"]


def add_drift(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "compare the records of a period with those of the calibration, and alarm where they differ"
    codes = (
        "Exit codes: 0 no drift was found, 3 there is an alarm, 1 an error, 2 no such option. No threshold is changed."
    )
    parser = verbs.add_parser("drift", help=text, description=f"{text.capitalize()}.", epilog=codes)
    parser.add_argument(
        "records", nargs="+", metavar="RECORDS", help="records.jsonl of inferences, in the order of time"
    )
    parser.add_argument(
        "--reference", required=True, metavar="R", help="calibration_records.jsonl, or records of a good period"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for drift.html and drift.json")
    parser.add_argument("--window", type=_window, default=50, metavar="N", help="patients in a window (default: 50)")
    parser.add_argument(
        "--false-alarms",
        type=_rate,
        default=0.01,
        metavar="P",
        help="how often a period without drift may alarm (default: 0.01)",
    )
    parser.set_defaults(verb=_find_drift)


def _window(text: str) -> int:
    value = count(text)
    if value < 10:
        raise argparse.ArgumentTypeError(f"must be at least 10, got {value}")
    return value


def _rate(text: str) -> float:
    value = finite(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and below 1, got '{text}'")
    return value


def _find_drift(records: list[str], reference: str, output: str, window: int, false_alarms: float) -> int:
    from monai_anomaly.apps.drift.find_drift import find_drift

    return find_drift(records, reference, output, window=window, false_alarms=false_alarms)
