# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Gray from colors and colors from gray."""

from __future__ import annotations

import numpy as np

__all__ = ["convert_channels"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def convert_channels(pixels: np.ndarray, channels: int | None) -> np.ndarray:
    """Return contiguous float32 ``(C, H, W)`` with the wanted number of channels.

    Args:
        pixels: float32 ``(C, H, W)`` in [0, 1], C 1 or 3.
        channels: 1 for gray (luma, ITU-R BT.601), 3 for RGB, None to keep what there is.
    """
    if channels == 1 and pixels.shape[0] == 3:
        gray = pixels[0] * LUMA[0]
        gray += pixels[1] * LUMA[1]
        gray += pixels[2] * LUMA[2]
        return np.minimum(gray, np.float32(1), out=gray)[None]
    if channels == 3 and pixels.shape[0] == 1:
        pixels = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    return np.ascontiguousarray(pixels)
