# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pictures in as few bytes as give them back bit for bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["LEVELS", "REAL", "Record", "decode", "dtype_of", "encode"]

LEVELS = (255, 1023, 4095, 16383, 65535)
"""Largest whole numbers of pictures of 8, 10, 12, 14 and 16 bits."""

REAL = 0
"""In place of a number of levels: the values are kept as they are."""

_SAMPLE = 64
Pixels = npt.NDArray[np.float32]
Record = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | Pixels


def encode(picture: Pixels) -> tuple[Record, int]:
    """Return a picture as whole numbers where each of its values is one of them over their largest, else as it is.

    So a picture of 8 bits takes a quarter of the memory, and one of 10 to 16 bits half. One that was resized, turned
    from color to gray or windowed has other values in general, and stays real.

    Args:
        picture: float32 ``(C, H, W)``.

    Returns:
        The record, and its number of levels: one of :data:`LEVELS`, or :data:`REAL`.
    """
    few = picture.reshape(-1)[:: max(1, picture.size // _SAMPLE)]  # which tells nearly every real picture
    for levels in LEVELS:
        if _fit(few, levels) is not None and (record := _fit(picture, levels)) is not None:
            return record, levels
    return np.ascontiguousarray(picture, dtype="<f4"), REAL


def decode(record: Record, levels: int, out: Pixels) -> None:
    """Write the picture of a record into an array of its shape."""
    if levels == REAL:
        out[...] = record
    else:
        np.divide(record, np.float32(levels), out=out, casting="unsafe", dtype=np.float32)


def dtype_of(levels: int) -> np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]:
    """Return the type of the numbers of a record, little-endian."""
    return np.dtype("<f4" if levels == REAL else "u1" if levels <= 255 else "<u2")


def _fit(picture: Pixels, levels: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | None:
    """Return a picture as whole numbers; None where that would change it."""
    scaled = np.rint(picture * np.float32(levels))
    if not (scaled >= 0).all() or not (scaled <= levels).all():  # also NaN
        return None
    return scaled.astype(dtype_of(levels)) if np.array_equal(scaled / np.float32(levels), picture) else None
