# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""An anomaly map laid over its picture, so that both can be seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monai_anomaly.utils.heatmap import PALETTE, map_to_levels, row_blocks

__all__ = ["OPACITY", "draw_overlay"]

OPACITY = (0.7 * np.linspace(0, 1, 256) ** 0.7).astype(np.float32)
"""How much of the picture the color of each level hides, shape ``(256,)``.

A straight line leaves too little of the values that matter: the scale ends far above what normal images reach, and the
palette is dark at its low end.
"""

_SHOWN = 255 * (1 - OPACITY)
_TINTS = (PALETTE * OPACITY[:, None] + np.float32(0.5)).T.astype(np.float32).copy()
"""What is left of white at each level, and what its color adds, ``(3, 256)``, with the half that rounds."""

OUTLINE = (108, 178, 242)
"""Color of the edge of what the method saw: none of the palette's, and seen on black and on white."""


def draw_overlay(
    picture: npt.NDArray[np.float32], source_map: npt.NDArray[np.float32], map_range: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Return a picture with its map in color over it, for people to look at; programs take the map.

    Where the map is at the low end of its scale the picture is as it was; the higher a value, the brighter its color of
    the fixed palette and the less of the picture shines through it (:data:`OPACITY`). The method saw nothing where the
    map is NaN: the picture stays as it is there, behind a thin line.

    Args:
        picture: values in [0, 1] (clipped), ``(1, rows, columns)`` or ``(3, rows, columns)``.
        source_map: ``(rows, columns)``, as :func:`monai_anomaly.transforms.source_map.map_on_source` gives it.
        map_range: map values of the first and the last color, the same for all images.

    Returns:
        RGB, ``(rows, columns, 3)``.

    Raises:
        ValueError: when picture and map differ in size.
    """
    if picture.ndim != 3 or picture.shape[0] not in (1, 3) or picture.shape[1:] != source_map.shape:
        raise ValueError(
            f"the picture must be (1 or 3, rows, columns) of the map's size {source_map.shape}, got {picture.shape}."
        )
    drawn = np.empty((*source_map.shape, 3), dtype=np.uint8)
    for part in row_blocks(source_map.shape):
        drawn[part] = _mix(picture[:, part], source_map[part], map_range)
    _draw_edge(drawn, np.isfinite(source_map))
    return drawn


def _mix(
    picture: npt.NDArray[np.float32], source_map: npt.NDArray[np.float32], map_range: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Return RGB of some rows; `picture` is ``(1 or 3, rows, columns)``."""
    levels = map_to_levels(np.where(np.isfinite(source_map), source_map, np.float32(map_range[0])), map_range)
    shown = np.clip(picture, 0, 1) * _SHOWN[levels]
    mixed = np.empty((*levels.shape, 3), dtype=np.uint8)
    for channel in range(3):  # one after the other: tables of one column are looked up many times faster
        mixed[..., channel] = shown[channel % len(shown)] + _TINTS[channel][levels]
    return mixed


def _draw_edge(drawn: npt.NDArray[np.uint8], seen: npt.NDArray[np.bool_]) -> None:
    """Draw the sides of the box that are not the picture's own, on the pixels around it."""
    if seen.all() or not seen.any():
        return
    thick = max(1, round(max(seen.shape) / 800))
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    outer = slice(max(0, top - thick), bottom + thick), slice(max(0, left - thick), right + thick)
    frame = np.zeros_like(seen)
    frame[outer] = True
    drawn[frame & ~seen] = OUTLINE
