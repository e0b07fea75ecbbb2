# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a map is at or above its threshold, as polygons on the source picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import approximate_polygon, find_contours

__all__ = ["Region", "find_regions"]

MOST_REGIONS = 5
"""The largest are reported; the segmentation has all."""

MOST_CORNERS = 2000
"""Far below the 8191 that an element of explicit VR holds: approximation takes the square of it at worst."""

TOLERANCE = 0.1
"""How far, in pixels of the network, a polygon may be from the contour: many times finer than the map."""


@dataclass(frozen=True)
class Region:
    """A part of the picture.

    Args:
        polygon: float64 ``(N, 2)``, column and row in pixels of the source picture, whose top left corner is (0, 0);
            closed: the last point is the first.
        share: of the part of the picture that the network saw, in (0, 1].
    """

    polygon: npt.NDArray[np.float64]
    share: float


def find_regions(
    anomaly_map: npt.NDArray[np.float32], threshold: float, box: tuple[int, int, int, int]
) -> list[Region]:
    """Return the largest parts where a map reaches a threshold, the largest first; holes in them are not cut out.

    Args:
        anomaly_map: ``(H, W)``, of the network's size, finite.
        threshold: value from which on a position counts.
        box: ``(x0, y0, x1, y1)``, half open, in pixels of the source picture: what the map is of.
    """
    spread = max(float(np.ptp(anomaly_map)), 1e-6)
    padded = np.pad(
        anomaly_map.astype(np.float64), 1, constant_values=min(float(anomaly_map.min()), threshold) - spread
    )
    contours = find_contours(padded, threshold, positive_orientation="low")
    contours.sort(key=_signed_area)  # rows before columns: what is inside is below 0, and the edge of a hole above
    regions = []
    for contour in contours[:MOST_REGIONS]:
        polygon = _on_picture(_approximate(contour), anomaly_map.shape, box)
        area = _signed_area(polygon)
        if area > 0 and len(polygon) > 3:
            regions.append(Region(polygon, min(1.0, area / ((box[2] - box[0]) * (box[3] - box[1])))))
    return sorted(regions, key=lambda region: -region.share)


def _approximate(contour: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a polygon of fewer corners; a contour of very many is thinned out before."""
    step = -(-len(contour) // MOST_CORNERS)
    thinned = contour if step == 1 else np.concatenate([contour[:-1:step], contour[:1]])
    return approximate_polygon(thinned, TOLERANCE)


def _on_picture(
    contour: npt.NDArray[np.float64], shape: tuple[int, ...], box: tuple[int, int, int, int]
) -> npt.NDArray[np.float64]:
    """Turn rows and columns of the padded map, whose pixels' centers are whole, into those of the picture."""
    x0, y0, x1, y1 = box
    rows = (contour[:, 0] - 0.5) * ((y1 - y0) / shape[0]) + y0
    columns = (contour[:, 1] - 0.5) * ((x1 - x0) / shape[1]) + x0
    return np.stack([np.clip(columns, x0, x1), np.clip(rows, y0, y1)], axis=1)


def _signed_area(polygon: npt.NDArray[np.float64]) -> float:
    """Return the area inside a closed polygon, by the shoelace formula."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
