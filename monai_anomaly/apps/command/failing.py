# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a verb says that it cannot go on."""

from __future__ import annotations

import sys

__all__ = ["fail", "usage_error"]


def fail(error: object, code: int) -> int:
    """Print an error's sentence, and return the exit code."""
    print(f"error: {error}", file=sys.stderr)
    return code


def usage_error(sentence: str) -> int:
    """Say what is wrong with a command line, and return its exit code."""
    return fail(sentence, 2)
