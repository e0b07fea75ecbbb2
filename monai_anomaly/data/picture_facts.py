# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is known of a picture before it is resized and turned gray; for the input guard and for drift."""

from __future__ import annotations

import numpy as np

__all__ = ["PICTURE_FACTS", "PICTURE_FORMAT", "PICTURE_HASHES", "PICTURE_ORIGIN", "PICTURE_PLACE", "picture_facts"]

PICTURE_FACTS: dict[str, int | float] = {
    **{"rows": 0, "columns": 0, "colored": 0.0},
    **{"gray_mean": 0.0, "gray_std": 0.0, "gray_zero": 0.0, "gray_step": 0.0},
}
"""Names of the facts, with the values of a picture of which nothing is known."""

PICTURE_PLACE: dict[str, tuple[int, ...]] = {"source_shape": (0, 0), "box": (0, 0, 0, 0)}
"""Where the picture was in the stored frame: the frame's rows and columns, and the box ``(x0, y0, x1, y1)``, half open,
that was cut out of it; with the values of a picture of which nothing is known."""

PICTURE_HASHES: dict[str, str] = {"device_hash": "", "patient_hash": ""}
"""Keyed hashes of what made the picture and of whom it is, as far as a DICOM header says; with the values of a picture
of which nothing is known."""

PICTURE_FORMAT: dict[str, str | int] = {"file_format": "", "photometric": "", "modality": "", "year": 0}
"""What kind of file it was in, and the year that a DICOM header gives; with the values of a picture of which nothing is
known."""

PICTURE_ORIGIN: dict[str, str | int] = {**PICTURE_HASHES, **PICTURE_FORMAT}
"""Both."""

COLORED_DIFFERENCE = 0.1
SAMPLED_SIDE = 512


def picture_facts(pixels: np.ndarray) -> dict[str, int | float]:
    """Return plain numbers by name, as :data:`PICTURE_FACTS` has them.

    ``colored`` is the share of pixels, 0 to 1, whose channels differ by more than 0.1: more than JPEG makes of gray. Of
    a picture with more than 512 rows or columns every second, third, ... is looked at.

    ``gray_mean`` is the mean of all values, ``gray_std`` their standard deviation, ``gray_zero`` the share of pixels
    that are 0 in all channels, and ``gray_step`` the mean difference, without its sign, of neighbors in a row, 0 to 1
    all of them, and of the same pixels; for ``gray_step`` whole rows are looked at.

    Args:
        pixels: float32 ``(C, H, W)`` in [0, 1], after the crop, C 1 or 3.
    """
    channels, rows, columns = pixels.shape
    lines = pixels[:, :: -(-rows // SAMPLED_SIDE)]
    few = lines[:, :, :: -(-columns // SAMPLED_SIDE)]
    highest = few.max(0)
    colored = float((highest - few.min(0) > COLORED_DIFFERENCE).mean()) if channels > 1 else 0.0
    return {
        "rows": int(rows),
        "columns": int(columns),
        "colored": colored,
        "gray_mean": float(few.mean(dtype=np.float64)),
        "gray_std": float(few.std(dtype=np.float64)),
        "gray_zero": float((highest == 0).mean()),
        "gray_step": float(np.abs(np.diff(lines, axis=2)).mean(dtype=np.float64)) if columns > 1 else 0.0,
    }
