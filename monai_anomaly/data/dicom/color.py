# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From stored colors to RGB in [0, 1]."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.pixel_values import scale

__all__ = ["rgb_to_unit", "ybr_to_unit"]

_RED, _BLUE = 0.299, 0.114
_GREEN = 1 - _RED - _BLUE
YBR_TO_RGB = np.array(
    [
        [1, 0, 2 - 2 * _RED],
        [1, -_BLUE * (2 - 2 * _BLUE) / _GREEN, -_RED * (2 - 2 * _RED) / _GREEN],
        [1, 2 - 2 * _BLUE, 0],
    ]
)
"""Of Y, Cb, Cr without their offset: DICOM PS3.3 C.7.6.3.1.2."""


def rgb_to_unit(stored: np.ndarray, bits: int) -> np.ndarray:
    """Return float32 ``(3, H, W)`` in [0, 1].

    Args:
        stored: ``(H, W, 3)``, unsigned.
        bits: bits stored.
    """
    return scale(np.ascontiguousarray(stored.transpose(2, 0, 1)), 0, 2**bits - 1)


def ybr_to_unit(stored: np.ndarray, bits: int) -> np.ndarray:
    """Return the RGB of YBR_FULL as float32 ``(3, H, W)`` in [0, 1].

    pydicom's conversion costs several times the decoding of the frame; the offset and the scale are one product here,
    and nothing is rounded to 8 bits in between, so the two differ by half a gray level at most.

    Args:
        stored: ``(H, W, 3)``, unsigned.
        bits: bits stored.
    """
    matrix = (YBR_TO_RGB / (2**bits - 1)).astype(np.float32)
    luma, blue, red = (stored[..., plane].astype(np.float32) for plane in range(3))
    luma *= matrix[0, 0]
    blue -= np.float32(2 ** (bits - 1))
    red -= np.float32(2 ** (bits - 1))
    pixels = np.empty((3, *luma.shape), np.float32)
    np.multiply(red, matrix[0, 2], out=pixels[0])  # by hand: a product of matrices takes more than twice as long
    np.multiply(blue, matrix[1, 1], out=pixels[1])
    np.multiply(blue, matrix[2, 1], out=pixels[2])
    pixels[1] += np.multiply(red, matrix[1, 2], out=red)
    pixels += luma
    return np.clip(pixels, 0.0, 1.0, out=pixels)
