# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Black and white of an array that is no picture format: NIfTI, NRRD, MetaImage.

In this order, and never from the picture's own darkest and brightest pixel, because a bright lesion would then darken
everything around it and change the score:

1. ``value_range``, where the caller gives one,
2. the display range that the header declares (NIfTI's ``cal_min`` and ``cal_max``; NRRD's and MetaImage's ``min`` and
   ``max`` are statistics of the data, not a display range, and are not used),
3. the full range of unsigned integers of 8 or 16 bits, as in a PNG,
4. 0 to 1, where every value of the whole file lies within it.

Anything else is refused with ``unknown_range``: signed integers, 32 bits and more, real numbers beyond 0 to 1. Every
rule holds for the whole file, so that the frames of a cine share one range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.pixel_values import ROUNDING, check_finite, scale, small_range

__all__ = ["ValueRange", "choose_range", "find_extremes", "scale_values"]


@dataclass(frozen=True)
class ValueRange:
    """Black and white of a file.

    Args:
        low: the value that becomes 0.
        high: the value that becomes 1.
        origin: ``"option"``, ``"header"``, ``"type"`` or ``"unit"``.
    """

    low: float
    high: float
    origin: str


def choose_range(
    option: tuple[float, float] | None,
    declared: tuple[float, float] | None,
    *,
    dtype: np.dtype,
    extremes: Callable[[], tuple[float, float]],
) -> ValueRange:
    """Return the range of a file by the rule in the head of this module.

    Args:
        option: ``value_range`` of the caller.
        declared: the header's display range; not used unless both are finite and ``low < high``.
        dtype: the type of the values, after the header's slope.
        extremes: gives the least and the greatest value of the whole file; only called where nothing else decides.

    Raises:
        ImageReadError: ``unknown_range``, and whatever ``extremes`` raises.
    """
    if option is not None:
        return ValueRange(float(option[0]), float(option[1]), "option")
    if declared is not None and all(math.isfinite(v) for v in declared) and declared[0] < declared[1]:
        return ValueRange(*declared, "header")
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return ValueRange(0.0, float(np.iinfo(dtype).max), "type")
    low, high = extremes()
    if dtype.kind == "f" and low >= -ROUNDING and high <= 1.0 + ROUNDING:
        return ValueRange(0.0, 1.0, "unit")
    raise ImageReadError(
        "unknown_range",
        f"the array holds {dtype.name} numbers from {low:g} to {high:g}, which says nothing about black and white; "
        "set value_range to the values of black and white, the same for all files.",
    )


def find_extremes(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest value.

    Args:
        values: any numeric array.

    Raises:
        ImageReadError: ``non_finite`` for NaN or infinite values.
    """
    low, high = float(values.min()), float(values.max())
    check_finite(np.array([low, high]))
    return low, high


def scale_values(values: np.ndarray, dtype: np.dtype, limits: ValueRange) -> tuple[np.ndarray, list[str]]:
    """Scale one frame to [0, 1].

    Args:
        values: ``(C, H, W)``, numeric.
        dtype: the type of the values as :func:`choose_range` was given it; a decoder may have widened it since.
        limits: the range of the file.

    Returns:
        float32 ``(C, H, W)`` in [0, 1], and the warnings.

    Raises:
        ImageReadError: ``non_finite`` for NaN or infinite values.
    """
    low, high = find_extremes(values)
    notes: list[str] = []
    if limits.origin == "type":
        ends = np.array([low, high]) / limits.high
        notes += small_range(ends, 8 * dtype.itemsize, "set value_range if the file holds fewer bits")
    if limits.origin in ("option", "header") and (high <= limits.low or low >= limits.high):
        notes.append("every pixel lies outside the range of black and white; correct value_range or the header")
    if values.dtype.kind == "u" and limits.low == 0 and limits.high == np.iinfo(values.dtype).max:
        return scale(values, 0, limits.high), notes  # bit for bit what a PNG gives
    with np.errstate(over="ignore"):  # what overflows is far outside the range, and is clipped to it
        wide = values.astype(np.float64)  # float32 would lose integers above 2**24 before they are scaled
        wide -= limits.low
        wide /= limits.high - limits.low
    return np.clip(wide, 0.0, 1.0, out=wide).astype(np.float32), notes
