# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where what can be made again is kept."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "MONAI_ANOMALY_CACHE"
"""Environment variable with the folder, where it is not in the user's cache folder."""


def cache_folder() -> Path:
    """Return $MONAI_ANOMALY_CACHE, else $XDG_CACHE_HOME/monai_anomaly, else ~/.cache/monai_anomaly."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    of_user = os.environ.get("XDG_CACHE_HOME")
    return (Path(of_user) if of_user else Path.home() / ".cache") / "monai_anomaly"
