# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Text in a table that a spreadsheet must not run."""

from __future__ import annotations

__all__ = ["as_text"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_text(value: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula.

    The apostrophe is what a person types there for the same; programs take it away again (``removeprefix("'")``).

    Example:
        >>> as_text("=1+1"), as_text("image.png")
        ("'=1+1", 'image.png')
    """
    return f"'{value}" if value.startswith(_FORMULA) else value
