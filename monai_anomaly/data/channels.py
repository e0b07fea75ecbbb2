# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Gray from colors and colors from gray."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.pixel_values import unit

__all__ = ["convert_channels"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def convert_channels(values: np.ndarray, channels: int | None) -> np.ndarray:
    """Return contiguous float32 ``(C, H, W)`` in [0, 1] with the wanted number of channels.

    Args:
        values: ``(C, H, W)``, C 1 or 3: float32 in [0, 1], or uint8 from 0 to 255.
        channels: 1 for gray (luma, ITU-R BT.601), 3 for RGB, None to keep what there is.
    """
    if channels == 1 and values.shape[0] == 3:
        gray = unit(values[0]) * LUMA[0]
        gray += unit(values[1]) * LUMA[1]
        gray += unit(values[2]) * LUMA[2]
        return np.minimum(gray, np.float32(1), out=gray)[None]
    pixels = unit(values)
    if channels == 3 and pixels.shape[0] == 1:
        pixels = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    return np.ascontiguousarray(pixels)
