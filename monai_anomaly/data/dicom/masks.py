# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the display shutter and the collimator leave of an image: DICOM PS3.3 C.7.6.11, C.7.6.15 and C.8.7.3.

No library applies them. Files that were cropped or rescaled after acquisition often keep the old positions, so a shape
that does not fit the image is not used. Positions in the header count rows and columns from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.overlays import get_overlay_array
from skimage.draw import disk, polygon2mask

from monai_anomaly.data.dicom.elements import element, numbers
from monai_anomaly.data.errors import ImageReadError

__all__ = ["find_visible"]

Shape = tuple[int, int]

EDGE_TOLERANCE = 1  # an edge may lie just outside: the last column that is covered, in place of the first that is not
MIN_AREA = 0.05
MIN_CIRCLE = 0.5  # a field of view may lose its rim to the image's border, not half of itself


def find_visible(dataset: Dataset, shape: Shape) -> tuple[np.ndarray | None, list[str]]:
    """Return which pixels shutter and collimator leave, None for all of them, and why shapes were not used.

    Several shapes leave what all of them leave. A shape that is malformed, lies outside the image or leaves less than
    5 % of it is not used. Circles are taken as circles of pixels.

    Args:
        dataset: the header, or what holds for one frame.
        shape: rows and columns of the image.

    Returns:
        bool ``(H, W)`` or None, and warnings.
    """
    visible = np.ones(shape, bool)
    notes: list[str] = []
    for name in ("Shutter", "Collimator"):
        for kind in _kinds(dataset, f"{name}Shape"):
            try:
                part = _draw(dataset, name, kind, shape)
            except _MisfitError as misfit:
                notes.append(f"{element(f'{name}Shape')} {misfit}: it was not used")
                continue
            if (visible & part).mean() < MIN_AREA:
                notes.append(f"{element(f'{name}Shape')} leaves less than {MIN_AREA:.0%} of the image: it was not used")
                continue
            visible &= part
    return (None if visible.all() else visible), notes


class _MisfitError(Exception):
    """Why a shape is not used; ends a sentence that begins with its element."""


def _kinds(dataset: Dataset, keyword: str) -> list[str]:
    """Return the shapes that an element names; shutter and collimator may have several."""
    value = dataset.get(keyword) or []
    return [str(kind).strip() for kind in ([value] if isinstance(value, str) else value)]


def _draw(dataset: Dataset, name: str, kind: str, shape: Shape) -> np.ndarray:
    """Return what one shape leaves, bool ``(H, W)``."""
    draw: dict[str, Callable[[Dataset, str, Shape], np.ndarray]] = {
        "RECTANGULAR": _rectangle,
        "CIRCULAR": _circle,
        "POLYGONAL": _polygon,
    }
    if name == "Shutter":
        draw["BITMAP"] = _bitmap
    if kind not in draw:
        raise _MisfitError("is of an unknown kind")
    return draw[kind](dataset, name, shape)


def _rectangle(dataset: Dataset, name: str, shape: Shape) -> np.ndarray:
    """Rows and columns from edge to edge, both included."""
    edges = ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
    (left,), (right,), (top,), (bottom,) = (_values(dataset, f"{name}{edge}", 1) for edge in edges)
    if left > right or top > bottom:
        raise _MisfitError("has its edges in the wrong order")
    _check_inside([(top, left), (bottom, right)], shape)
    part = np.zeros(shape, bool)
    part[max(math.ceil(top) - 1, 0) : math.floor(bottom), max(math.ceil(left) - 1, 0) : math.floor(right)] = True
    return part


def _circle(dataset: Dataset, name: str, shape: Shape) -> np.ndarray:
    """Pixels whose center is not farther from the circle's center than its radius."""
    row, column = _values(dataset, f"CenterOfCircular{name}", 2)
    (radius,) = _values(dataset, f"RadiusOfCircular{name}", 1)
    _check_inside([(row, column)], shape)
    if not 0 < radius <= sum(shape):
        raise _MisfitError("has no radius that fits the image")
    part = np.zeros(shape, bool)
    part[disk((row - 1, column - 1), radius + 1e-6, shape=shape)] = True
    if part.sum() < MIN_CIRCLE * math.pi * radius**2:
        raise _MisfitError("does not fit the image, which was cropped or rescaled after acquisition")
    return part


def _polygon(dataset: Dataset, name: str, shape: Shape) -> np.ndarray:
    """Pixels whose center lies in a polygon, given as row and column of each vertex."""
    values = _values(dataset, f"VerticesOfThePolygonal{name}")
    if len(values) < 6 or len(values) % 2:
        raise _MisfitError("has no polygon of at least three vertices")
    vertices = np.reshape(values, (-1, 2))
    _check_inside([(row, column) for row, column in vertices.tolist()], shape)
    return np.asarray(polygon2mask(shape, vertices - 1))


def _bitmap(dataset: Dataset, name: str, shape: Shape) -> np.ndarray:
    """Pixels that are not set in the overlay that the shutter names."""
    group = int(dataset.get(f"{name}OverlayGroup") or 0)
    if not (0x6000 <= group <= 0x60FF and group % 2 == 0):
        raise _MisfitError("names no overlay")
    try:
        overlay = get_overlay_array(dataset, group)
        origin = [int(value) for value in dataset[group, 0x0050].value]
    except Exception:  # pydicom raises what it likes for a damaged overlay
        raise _MisfitError("names an overlay that cannot be read") from None
    if overlay.shape != shape or origin != [1, 1]:
        raise _MisfitError("names an overlay of another size than the image")
    return np.asarray(overlay == 0)


def _values(dataset: Dataset, keyword: str, count: int | None = None) -> list[float]:
    try:
        values = numbers(dataset, keyword)
    except ImageReadError:
        values = []
    if not values or (count is not None and len(values) != count):
        raise _MisfitError(f"needs {element(keyword)}, which is missing or malformed")
    return values


def _check_inside(points: list[tuple[float, float]], shape: Shape) -> None:
    """Refuse rows and columns, from 1, that the image does not have."""
    for point in points:
        for position, size in zip(point, shape, strict=True):
            if not 1 - EDGE_TOLERANCE <= position <= size + EDGE_TOLERANCE:
                raise _MisfitError("does not fit the image, which was cropped or rescaled after acquisition")
