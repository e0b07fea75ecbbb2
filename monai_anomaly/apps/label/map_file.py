# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A result's map as a file that MONAI Label and its viewers take: 8-bit, in the picture's own geometry."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from monai_anomaly.bundle.label.answer import MAP_KINDS
from monai_anomaly.bundle.label.written_map import RASTER_SUFFIX, VOLUME_SUFFIX, write_map
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.scoring.map_encoders import encode_png_map, place_by_spacing
from monai_anomaly.scoring.result import Result
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.heatmap import encode_levels

__all__ = ["encode_map"]

_UNPACKED = ".nii"
_MILLIMETERS = 2
_MOST_BY_NIFTI_1 = 2**15 - 1


def encode_map(
    result: Result, path: Path, reader: ClinicalImageReader, *, kind: str = MAP_KINDS[0], suffix: str = ""
) -> tuple[bytes, str]:
    """Return the file's bytes and how its name ends; its rows and columns are the picture's.

    Args:
        result: that was scored.
        path: the image's file.
        reader: what the image was read through.
        kind: one of :data:`~monai_anomaly.bundle.label.answer.MAP_KINDS`.
        suffix: how the name is to end; empty for ``.png`` of a picture and ``.nii.gz`` of anything else.

    Raises:
        CalibrationError: for a region without a calibration.
        ConfigError: for another kind, or an ending that no map has.
        ImageReadError: when the image cannot be read any more.
    """
    if kind not in MAP_KINDS:
        raise ConfigError(f"map_kind must be {' or '.join(MAP_KINDS)}, got {kind!r}.")
    known = (RASTER_SUFFIX, VOLUME_SUFFIX, _UNPACKED)
    if suffix and suffix not in known:
        raise ConfigError(f"result_extension must be one of {', '.join(known)}, got {suffix!r}.")
    region = kind != MAP_KINDS[0]
    written = write_map(result, SourcePictures([{"index": 0, "image": path}], reader), region=region)
    suffix = suffix or (RASTER_SUFFIX if written.flat else VOLUME_SUFFIX)
    if suffix == RASTER_SUFFIX:
        if not region and result.map_range is not None:
            return encode_png_map(result.map_on_source, result.map_range), suffix
        return encode_levels(np.ascontiguousarray(written.pixels.reshape(written.pixels.shape[:2]).T)), suffix
    affine = place_by_spacing(None).affine if written.affine is None else written.affine
    data = _encode_nifti(written.pixels, affine)
    return (data if suffix == _UNPACKED else gzip.compress(data, compresslevel=1, mtime=0)), suffix


def _encode_nifti(pixels: npt.NDArray[np.uint8], affine: npt.NDArray[np.float64]) -> bytes:
    kind = nib.Nifti1Image if max(pixels.shape) <= _MOST_BY_NIFTI_1 else nib.Nifti2Image
    image = kind(pixels.reshape(*pixels.shape[:2], 1), affine, dtype=np.uint8)
    image.header["xyzt_units"] = _MILLIMETERS
    data: bytes = image.to_bytes()
    return data
