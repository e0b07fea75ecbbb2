# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The eight ways in which a picture may lie in its file: tag 274 of TIFF, which Exif took over."""

from __future__ import annotations

import numpy as np

__all__ = ["turn_upright"]


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return the picture as a viewer shows it; a view of the same memory.

    Args:
        pixels: as stored, ``(H, W, ...)``.
        orientation: 1 (upright) to 8.
    """
    if orientation in (2, 3, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7):
        pixels = pixels[::-1]
    if orientation == 6:
        return np.rot90(pixels, -1)
    if orientation == 8:
        return np.rot90(pixels)
    return pixels.swapaxes(0, 1) if orientation in (5, 7) else pixels
