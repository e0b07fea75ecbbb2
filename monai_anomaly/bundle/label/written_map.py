# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A map as the array that MONAI Label's writer takes, in the geometry of its picture."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from monai_anomaly.scoring.map_encoders import map_to_indices
from monai_anomaly.scoring.result import Result
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.source_map import mask_of
from monai_anomaly.utils.exceptions import CalibrationError

__all__ = ["RASTER_SUFFIX", "VOLUME_SUFFIX", "WrittenMap", "write_map"]

RASTER_SUFFIX = ".png"
VOLUME_SUFFIX = ".nii.gz"


class WrittenMap(NamedTuple):
    """uint8 ``(columns, rows)`` of a flat picture without a place, else ``(columns, rows, 1)`` and its ``(4, 4)``."""

    pixels: npt.NDArray[np.uint8]
    affine: npt.NDArray[np.float64] | None

    @property
    def flat(self) -> bool:
        """Whether it is of a picture without a place."""
        return self.affine is None


def write_map(result: Result, sources: SourcePictures, *, region: bool) -> WrittenMap:
    """Return the map of a scored picture, of the stored frame's size.

    Args:
        result: with a map and, for a region, a threshold.
        sources: which know the picture as item 0.
        region: 1 where the map reaches the threshold, instead of gray levels.

    Raises:
        CalibrationError: for a region without a calibration.
        ImageReadError: when the file has gone since.
    """
    source_map = result.map_on_source
    if not region:
        indices = map_to_indices(source_map, _known(result.map_range))
    elif result.threshold is None:
        raise CalibrationError(
            "a region is where the map reaches the threshold of the decision, and there is no calibration: put "
            "calibration.json beside model.pt, or choose the heat map."
        )
    else:
        indices = mask_of(source_map, result.threshold)
    decoded = sources.read(0, result.frame, _known(result.source_shape))
    columns_first = np.ascontiguousarray(indices.T)
    if decoded.kind == "raster":
        return WrittenMap(columns_first, None)
    return WrittenMap(columns_first[..., None], sources.place(0, decoded).affine)


def _known(value: Any) -> Any:
    assert value is not None  # of every scored picture
    return value
