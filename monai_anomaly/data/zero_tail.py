# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pixels that a broken copy lost: zeros from within a row to the end, in a format without checksums."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.errors import ImageReadError

__all__ = ["check_zero_tail", "has_zero_tail"]

ROWS = 8
"""Rows above the end that are looked at."""

LEAST = 16
"""Values that each of them must have where the zeros begin."""

STEADY = 0.8
"""Least share of the largest of these numbers that the smallest may be."""


def check_zero_tail(values: np.ndarray) -> None:
    """Refuse a picture whose stored values end within a row, with zeros behind.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``, uncompressed in the file, row by row.

    Raises:
        ImageReadError: ``truncated``.
    """
    planes = values.reshape(*values.shape[:2], -1)
    if any(has_zero_tail(planes[..., channel]) for channel in range(planes.shape[2])):
        raise ImageReadError(
            "truncated", "the pixels end within a row, and zeros follow; copy or export the file again."
        )


def has_zero_tail(values: np.ndarray) -> bool:
    """Return whether the stored values end within a row of the picture, and zeros follow to the end.

    A picture that ends in black ends at the end of a row, or narrows: the rows above have little more to the right of
    its last value. Where each of them goes on as far as the others, and the last one breaks off, the rest was lost. An
    end between two rows, or in a picture's own black border, cannot be told from a black part and is not found.

    Args:
        values: ``(H, W)``, stored row by row, black 0.
    """
    rows = len(values)
    if values[-1].any():
        return False
    filled = np.flatnonzero(values[::-1].any(axis=1))
    if not len(filled):
        return False
    last = rows - 1 - int(filled[0])
    if last < ROWS or last > rows - 2:
        return False
    end = int(np.flatnonzero(values[last])[-1]) + 1
    beyond = np.count_nonzero(values[last - ROWS : last, end:], axis=1)
    return bool(beyond.min() >= max(LEAST, STEADY * beyond.max()))
