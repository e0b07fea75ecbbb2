# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Types of command-line arguments, for argparse, which quotes their names; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
import math

__all__ = [
    "aggregate_rule",
    "count",
    "finite",
    "folder_names",
    "frame_rule",
    "frames_axis",
    "minutes",
    "pool_shares",
    "pool_sizes",
    "seeds",
    "tiles",
]

MOST_TILES = 1000
"""Of a contact sheet: a page of 150 MB in memory."""


def count(text: str) -> int:
    """Return a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def seeds(text: str) -> list[int]:
    """Return whole numbers from 0, each once, written with commas between."""
    numbers = [int(part) for part in text.split(",")]
    if len(set(numbers)) < len(numbers) or min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"must be whole numbers from 0, each once, with commas between, got '{text}'")
    return numbers


def minutes(text: str) -> float:
    """Return a number above 0."""
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got '{text}'")
    return value


def pool_shares(text: str) -> list[float | None]:
    """Return shares from 0 to 1, each once, written with commas between; None for ``as_it_comes``."""
    shares = [None if part == "as_it_comes" else finite(part) for part in text.split(",")]
    if len(set(shares)) < len(shares) or not all(share is None or 0 <= share <= 1 for share in shares):
        raise argparse.ArgumentTypeError(
            f"must be numbers from 0 to 1 or as_it_comes, each once, with commas between, got '{text}'"
        )
    return shares


def pool_sizes(text: str) -> list[int | None]:
    """Return whole numbers from 1, each once, written with commas between; None for ``all``."""
    sizes = [None if part == "all" else count(part) for part in text.split(",")]
    if len(set(sizes)) < len(sizes):
        raise argparse.ArgumentTypeError(f"must name each size once, got '{text}'")
    return sizes


def tiles(text: str) -> int:
    """Return a number of tiles that a page can hold."""
    value = count(text)
    if value > MOST_TILES:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_TILES}, got {value}")
    return value


def folder_names(text: str) -> tuple[str, ...]:
    """Return names of folders, written as a bundle's key takes them: one, or several in a list."""
    from fire.parser import DefaultParseValue

    from monai_anomaly.data.lists.folders.folder_names import check_folders

    try:
        return check_folders(DefaultParseValue(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def aggregate_rule(text: str) -> str:
    """Return a rule for the score of a cine."""
    if text == "max":  # the usual one needs no import
        return text
    from monai_anomaly.metrics.study_score import check_aggregate

    try:
        return check_aggregate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def frame_rule(text: str) -> str:
    """Return a rule for the frames of a cine."""
    from monai_anomaly.data.frame_rule import check_frame_rule

    try:
        return check_frame_rule(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def frames_axis(text: str) -> int:
    """Return the axis of an array that counts frames."""
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"must be at least 2, because 0 and 1 are columns and rows, got {value}")
    return value


def finite(text: str) -> float:
    """Return a finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, got '{text}'")
    return value
