# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where an app of MONAI Deploy finds its detector."""

from __future__ import annotations

import os
from pathlib import Path

from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["detector_file"]


def detector_file(place: str | os.PathLike[str], kinds: tuple[str, ...] = ("pt", "pt2", "ts", "onnx")) -> Path:
    """Return the one detector's file in a folder of models, or in a folder of it, as a package has it.

    Args:
        place: the folder, or the file itself.
        kinds: endings of the files that will do; of ``.pt`` only ``model.pt``.

    Raises:
        CheckpointError: when there is none, or there are several.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return path
    names = [f"{folder}{'model' if kind == 'pt' else '*'}.{kind}" for folder in ("", "*/") for kind in kinds]
    found = sorted({file for name in names for file in path.glob(name) if file.is_file()})
    if len(found) != 1:
        wanted = " or ".join(f".{kind}" for kind in kinds)
        there = "no detector" if not found else f"{len(found)} detectors"
        raise CheckpointError(f"there is {there} in '{place}': name one file ({wanted}) with --model.")
    return found[0]
