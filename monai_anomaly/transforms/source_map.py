# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An anomaly map laid back onto the picture that it was made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from monai_anomaly.transforms.preprocessing import resize_image

__all__ = ["map_on_source", "mask_of", "shrink_geometry"]


def map_on_source(
    anomaly_map: npt.NDArray[np.float32], source_shape: Sequence[int], box: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Return the map at the size of its source picture, NaN outside the box that was cut out of it.

    It undoes the squashing of :func:`~monai_anomaly.transforms.preprocessing.resize_image` by the same rule: corners of
    the map are corners of the box, and values between centers of pixels are bilinear. Nothing is sharper by it: a pixel
    of the network stays as large as it was.

    Args:
        anomaly_map: ``(H, W)``, of the network's size.
        source_shape: ``(rows, columns)`` of the source picture.
        box: ``(x0, y0, x1, y1)``, half open, in pixels of the source picture: what the network saw of it.

    Returns:
        float32 ``(rows, columns)``.

    Raises:
        ValueError: when the map has not two axes, or the box is empty or not within the source picture.

    Example:
        >>> map_on_source(np.ones((2, 2), np.float32), (2, 3), (1, 0, 3, 1))
        array([[nan,  1.,  1.],
               [nan, nan, nan]], dtype=float32)
    """
    rows, columns = (int(n) for n in source_shape)
    x0, y0, x1, y1 = (int(n) for n in box)
    if anomaly_map.ndim != 2 or anomaly_map.size == 0:
        raise ValueError(f"anomaly_map must have the shape (H, W), got {anomaly_map.shape}.")
    if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
        raise ValueError(f"box must be (x0, y0, x1, y1) within {rows} x {columns} pixels, got {(x0, y0, x1, y1)}.")
    values = torch.from_numpy(np.ascontiguousarray(anomaly_map, dtype=np.float32))[None]
    inside: npt.NDArray[np.float32] = resize_image(values, (y1 - y0, x1 - x0))[0].numpy()
    if inside.shape == (rows, columns):
        return inside.copy() if inside.shape == anomaly_map.shape else inside  # never the caller's own memory
    whole = np.full((rows, columns), np.nan, dtype=np.float32)
    whole[y0:y1, x0:x1] = inside
    return whole


def mask_of(source_map: npt.NDArray[np.float32], threshold: float) -> npt.NDArray[np.uint8]:
    """Return 1 where a map reaches the threshold of the decision, else 0, ``(rows, columns)``.

    Args:
        source_map: ``(rows, columns)``, NaN where the network saw nothing.
        threshold: from which on.
    """
    return (np.nan_to_num(source_map, nan=-np.inf) >= np.float32(threshold)).astype(np.uint8)


def shrink_geometry(
    source_shape: Sequence[int], box: Sequence[int], longest: int
) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Return source shape and box of the same picture made smaller, so that neither side is longer than ``longest``.

    Args:
        source_shape: ``(rows, columns)``; returned as it is where it is small enough.
        box: ``(x0, y0, x1, y1)``, half open; to the nearest pixel of the smaller picture, and never empty.
        longest: most rows or columns.

    Example:
        >>> shrink_geometry((4000, 2000), (1000, 0, 2000, 4000), 1000)
        ((1000, 500), (250, 0, 500, 1000))
    """
    rows, columns = (int(n) for n in source_shape)
    x0, y0, x1, y1 = (int(n) for n in box)
    factor = min(1.0, longest / max(rows, columns))
    if factor == 1.0:
        return (rows, columns), (x0, y0, x1, y1)
    small = max(1, round(rows * factor)), max(1, round(columns * factor))
    left, right = _shrink_side(x0, x1, small[1], small[1] / columns)
    top, bottom = _shrink_side(y0, y1, small[0], small[0] / rows)
    return small, (left, top, right, bottom)


def _shrink_side(start: int, stop: int, length: int, factor: float) -> tuple[int, int]:
    first = min(round(start * factor), length - 1)
    return first, max(first + 1, min(round(stop * factor), length))
