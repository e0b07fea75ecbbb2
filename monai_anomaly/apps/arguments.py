# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Types of command-line arguments, for argparse."""

from __future__ import annotations

import argparse
import json
from typing import Any

__all__ = ["count", "override"]


def count(text: str) -> int:
    """Return a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def override(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``, the value as JSON where it is some, else as a text."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got '{text}'")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value
