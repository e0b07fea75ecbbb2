# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A result's map as a file that MONAI Label and its viewers take: 8-bit, in the picture's own geometry."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from monai_anomaly.data.arrays.itk_place import read_itk_place
from monai_anomaly.data.arrays.nifti_place import ArrayPlace, read_place
from monai_anomaly.data.file_kind import find_kind
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.scoring.map_encoders import encode_png_map, map_to_indices, place_by_spacing
from monai_anomaly.scoring.result import Result
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError
from monai_anomaly.utils.heatmap import encode_levels, row_blocks

__all__ = ["MAPS", "choose_suffix", "encode_map"]

MAPS = ("heat map", "region")
"""``heat map``: 1 to 255 from the low to the high end of the detector's range. ``region``: 1 where the map reaches the
threshold of the decision, which viewers take for a label. 0 elsewhere, and where the method saw nothing."""

_SUFFIXES = (".png", ".nii.gz", ".nii")
_PICTURES = ("raster", "tiff")


def choose_suffix(path: Path, wanted: str = "") -> str:
    """Return how the map's file ends: as wanted, else ``.png`` for a picture and ``.nii.gz`` for anything else.

    Args:
        path: the image, which has been read.
        wanted: an ending; empty for none.

    Raises:
        ConfigError: for an ending that no map can have.
    """
    if wanted and wanted not in _SUFFIXES:
        raise ConfigError(f"result_extension must be one of {', '.join(_SUFFIXES)}, got {wanted!r}.")
    if wanted:
        return wanted
    with open(path, "rb") as stream:
        return ".png" if find_kind(stream, path) in _PICTURES else ".nii.gz"


def encode_map(result: Result, path: Path, suffix: str, kind: str, reader: ClinicalImageReader) -> bytes:
    """Return the file's bytes; its rows and columns are the picture's.

    Args:
        result: that was scored.
        path: the image's file.
        suffix: how the file ends, of :func:`choose_suffix`.
        kind: one of :data:`MAPS`.
        reader: what the image was read through.

    Raises:
        CalibrationError: for a region without a calibration.
        ConfigError: for another kind.
        ImageReadError: when the image cannot be read any more.
    """
    if kind not in MAPS:
        raise ConfigError(f"map_kind must be {' or '.join(MAPS)}, got {kind!r}.")
    source_map, map_range = result.map_on_source, result.map_range or (0.0, 1.0)
    if suffix == ".png" and kind == MAPS[0]:
        return encode_png_map(source_map, map_range)
    levels = _levels(source_map, map_range, None if kind == MAPS[0] else _threshold(result))
    if suffix == ".png":
        return encode_levels(levels)
    data = _encode_nifti(levels, _place(path, result.frame, reader))
    if suffix == ".nii":
        return data
    return gzip.compress(data, compresslevel=1, mtime=0)


def _threshold(result: Result) -> float:
    if result.threshold is None:
        raise CalibrationError(
            "a region is where the map reaches the threshold of the decision, and there is no calibration: put "
            "calibration.json beside the weights, or ask for the heat map."
        )
    return result.threshold


def _levels(
    source_map: npt.NDArray[np.float32], map_range: tuple[float, float], threshold: float | None
) -> npt.NDArray[np.uint8]:
    levels = np.zeros(source_map.shape, dtype=np.uint8)
    for rows in row_blocks(source_map.shape):
        part = source_map[rows]
        if threshold is None:
            levels[rows] = map_to_indices(part, map_range)
        else:
            levels[rows] = np.nan_to_num(part, nan=-np.inf) >= np.float32(threshold)
    return levels


def _encode_nifti(levels: npt.NDArray[np.uint8], place: ArrayPlace) -> bytes:
    """Return a NIfTI file whose first stored axis runs along the columns, as our reader takes a picture."""
    kind = nib.Nifti1Image if max(levels.shape) < 2**15 else nib.Nifti2Image
    image = kind(levels.T[..., None], place.affine, dtype=np.uint8)
    image.header["xyzt_units"] = place.unit
    data: bytes = image.to_bytes()
    return data


def _place(path: Path, frame: int | None, reader: ClinicalImageReader) -> ArrayPlace:
    """Return where a file of arrays says that the picture lies; of any other, its pixels' size."""
    with open(path, "rb") as stream:
        kind = find_kind(stream, path)
    if kind == "nifti":
        return read_place(path, frame or 0, reader.frames_axis)
    if kind in ("nrrd", "metaimage"):
        return read_itk_place(path, kind, frame or 0, reader.frames_axis)
    return place_by_spacing(reader.read_again(path, frame).spacing)
