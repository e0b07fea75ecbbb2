# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is known of a picture before it is resized and turned gray; for the input guard and for drift."""

from __future__ import annotations

import numpy as np
import torch

from monai_anomaly.data.pixel_values import whole_numbers

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
WHITE = 255
LEVELS = (np.arange(WHITE + 1, dtype=np.float32) / np.float32(WHITE)).astype(np.float64)
"""The values of a picture of 8 bits, as float32 has them."""


def picture_facts(values: np.ndarray) -> dict[str, int | float]:
    """Return plain numbers by name, as :data:`PICTURE_FACTS` has them.

    ``colored`` is the share of pixels, 0 to 1, whose channels differ by more than 0.1: more than JPEG makes of gray. Of
    a picture with more than 512 rows or columns every second, third, ... is looked at.

    ``gray_mean`` is the mean of all values, ``gray_std`` their standard deviation, ``gray_zero`` the share of pixels
    that are 0 in all channels, and ``gray_step`` the mean difference, without its sign, of neighbors in a row, 0 to 1
    all of them, and of the same pixels; for ``gray_step`` whole rows are looked at.

    Args:
        values: ``(C, H, W)``, after the crop, C 1 or 3: float32 in [0, 1], or uint8 from 0 to 255. Those of 8 bits are
            counted, which takes a fifth of the time, in whatever form they come.
    """
    channels, rows, columns = values.shape
    lines = whole_numbers(values[:, :: -(-rows // SAMPLED_SIDE)])
    few = lines[:, :, :: -(-columns // SAMPLED_SIDE)]
    highest = few.max(0)
    least = WHITE * COLORED_DIFFERENCE if lines.dtype == np.uint8 else COLORED_DIFFERENCE
    mean, std = _mean_and_std(few)
    return {
        "rows": int(rows),
        "columns": int(columns),
        "colored": float((highest - few.min(0) > least).mean()) if channels > 1 else 0.0,
        "gray_mean": mean,
        "gray_std": std,
        "gray_zero": (highest.size - int(np.count_nonzero(highest))) / highest.size,
        "gray_step": _step(lines) if columns > 1 else 0.0,
    }


def _mean_and_std(values: np.ndarray) -> tuple[float, float]:
    if values.dtype != np.uint8:
        return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    shares = _shares(values)
    mean = float(shares @ LEVELS)
    return mean, float(np.sqrt(shares @ (LEVELS - mean) ** 2))


def _step(lines: np.ndarray) -> float:
    """Return the mean difference of neighbors in a row."""
    left, right = lines[:, :, :-1], lines[:, :, 1:]
    if lines.dtype != np.uint8:
        return float(np.abs(right - left).mean(dtype=np.float64))
    steps = np.maximum(left, right) - np.minimum(left, right)
    return int(steps.sum(dtype=np.uint64)) / (WHITE * steps.size)


def _shares(values: np.ndarray) -> np.ndarray:
    """Return the share of pixels that has each of the 256 values."""
    numbers = torch.from_numpy(np.array(values).reshape(-1))  # a copy: PyTorch takes none that may only be read
    counts = torch.bincount(numbers, minlength=WHITE + 1)  # NumPy's takes thrice as long
    return counts.numpy() / values.size
