# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Files of objects while they come in, in the spool's folder ``incoming``."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import IO

__all__ = ["PART_PREFIX", "new_part", "remove_leftovers"]

PART_PREFIX = "incoming-"
LEFTOVER_SECONDS = 24 * 3600.0


def new_part(folder: Path) -> tuple[IO[bytes], Path]:
    """Make an empty file for an object, readable by its owner alone.

    Args:
        folder: ``incoming``.

    Raises:
        OSError: when it cannot be made.
    """
    handle, path = tempfile.mkstemp(prefix=PART_PREFIX, dir=folder)
    return os.fdopen(handle, "wb"), Path(path)


def remove_leftovers(folder: Path) -> None:
    """Remove files of objects whose receiver was killed; no sender was told that they were taken.

    Args:
        folder: where objects are written while they come in. Other receivers may use it, so only old files go.
    """
    for path in folder.glob(f"{PART_PREFIX}*"):
        try:
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()
        except FileNotFoundError:
            continue
