# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two sets of settings, compared for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["differences"]

LONGEST = 40


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a phrase for each setting that differs, in the order of those now.

    Args:
        before: plain values by name.
        now: the same, as they are.

    Example:
        >>> differences({"maps": "png", "guard": True}, {"maps": "npz", "guard": True})
        ['maps was png and is npz']
    """
    keys = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    return [f"{key} was {_short(before.get(key))} and is {_short(now.get(key))}" for key in keys]


def _short(value: Any) -> str:
    """Return a value for a sentence, of a digest its beginning."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:12]}..."
