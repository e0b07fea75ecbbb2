# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the picture is inside an ultrasound screen: Sequence of US Regions (0018,6011), DICOM PS3.3 C.8.5.5.

No library reads these tags. Files that were cropped or rescaled after acquisition often keep the old ones, so a region
is used only when it fits the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

__all__ = ["UltrasoundRegion", "find_region"]

TWO_DIMENSIONAL = 1  # RegionSpatialFormat
TISSUE, COLOR_FLOW = 1, 2  # RegionDataType
CENTIMETERS = 3  # PhysicalUnitsXDirection, PhysicalUnitsYDirection
EDGE_TOLERANCE = 1  # vendors store the exclusive maximum, 800 for 800 columns, where the standard wants 799


@dataclass(frozen=True)
class UltrasoundRegion:
    """The region to look at.

    Args:
        state: ``"none"`` (the file has no region), ``"trusted"`` or ``"untrusted"``.
        box: ``(x0, y0, x1, y1)``, half open; only when trusted.
        spacing: ``(row, column)`` mm per pixel; only when trusted and given in centimeters.
        warnings: why regions were not used.
    """

    state: str
    box: tuple[int, int, int, int] | None = None
    spacing: tuple[float, float] | None = None
    warnings: list[str] = field(default_factory=list)


def find_region(dataset: Dataset, *, rows: int, columns: int, min_area: float = 0.05) -> UltrasoundRegion:
    """Return the largest two-dimensional tissue or color flow region.

    All regions of a file come from one screen: when one of them does not fit the image, none is trusted.

    Args:
        dataset: the header.
        rows: rows of the image.
        columns: columns of the image.
        min_area: smallest share of the image that is believed.
    """
    regions = dataset.get("SequenceOfUltrasoundRegions")
    if not regions:
        return UltrasoundRegion("none")
    try:
        boxes = [_box(item) for item in regions]
        pictures = [(item, box) for item, box in zip(regions, boxes, strict=True) if _is_picture(item)]
    except (AttributeError, TypeError, ValueError, OverflowError):
        return _untrusted("an ultrasound region (0018,6011) has a missing or malformed location")
    for x0, y0, x1, y1 in boxes:
        if x0 < 0 or y0 < 0 or x1 > columns + EDGE_TOLERANCE or y1 > rows + EDGE_TOLERANCE or x1 <= x0 or y1 <= y0:
            return _untrusted(
                f"an ultrasound region (0018,6011) does not fit the image of {rows} x {columns} pixels, "
                "which was cropped or rescaled after acquisition"
            )
    if not pictures:
        return _untrusted("no ultrasound region (0018,6011) is a two-dimensional picture of tissue")
    item, (x0, y0, x1, y1) = max(pictures, key=lambda pair: _area(pair[1]))
    box = (x0, y0, min(x1, columns), min(y1, rows))
    if _area(box) < min_area * rows * columns:
        return _untrusted(f"the largest ultrasound region (0018,6011) covers less than {min_area:.0%} of the image")
    spacing, notes = _spacing(item)
    if notes:
        return _untrusted(*notes)
    if len(pictures) > 1:
        notes.append(f"the image has {len(pictures)} two-dimensional ultrasound regions; the largest was used")
    return UltrasoundRegion("trusted", box, spacing, notes)


def _untrusted(*reasons: str) -> UltrasoundRegion:
    return UltrasoundRegion("untrusted", warnings=[f"{reason}: the whole image was used" for reason in reasons])


def _box(item: Dataset) -> tuple[int, int, int, int]:
    """Return a region's location, half open; the stored maximum is inclusive."""
    return (
        int(item.RegionLocationMinX0),
        int(item.RegionLocationMinY0),
        int(item.RegionLocationMaxX1) + 1,
        int(item.RegionLocationMaxY1) + 1,
    )


def _is_picture(item: Dataset) -> bool:
    return item.get("RegionSpatialFormat") == TWO_DIMENSIONAL and item.get("RegionDataType") in (TISSUE, COLOR_FLOW)


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _spacing(item: Dataset) -> tuple[tuple[float, float] | None, list[str]]:
    """Return ``(row, column)`` mm per pixel, None where the region is not in centimeters, and what is wrong."""
    units = item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection")
    if units != (CENTIMETERS, CENTIMETERS):
        return None, []
    try:
        column, row = float(item.PhysicalDeltaX), float(item.PhysicalDeltaY)
    except (AttributeError, TypeError, ValueError):
        column = row = math.nan
    if not (math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0):
        return None, ["an ultrasound region (0018,6011) has no valid Physical Delta (0018,602C), (0018,602E)"]
    return (10 * row, 10 * column), []
