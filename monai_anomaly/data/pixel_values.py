# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pixel values: from those of a file to [0, 1], and what no pixel may be."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.errors import ImageReadError

__all__ = ["check_finite", "scale"]


def scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map ``low..high`` to 0..1 as float32, clipped.

    Args:
        values: any numeric array.
        low: value that becomes 0.
        high: value that becomes 1; below ``low`` the scale is reversed.
    """
    out = values.astype(np.float32)
    if low:
        out -= np.float32(low)
    out /= np.float32(high - low)
    if values.dtype != np.uint8 or low != 0 or high != 255:  # eight full bits cannot leave the range
        np.clip(out, 0.0, 1.0, out=out)
    return out


def check_finite(pixels: np.ndarray) -> None:
    """Refuse NaN and infinite pixels.

    Args:
        pixels: any float array.

    Raises:
        ImageReadError: ``non_finite``.
    """
    if not np.isfinite(pixels).all():
        raise ImageReadError("non_finite", "the image holds NaN or infinite values; correct the export.")
