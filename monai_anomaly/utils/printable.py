# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Names of files in lines of text."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Return a name with line breaks, escape codes and undecodable bytes written out, so that it stays on its line.

    Example:
        >>> printable("a\nb.png")
        'a\\nb.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
