# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a NIfTI file says that its picture is, for a file that is to lie over it."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monai_anomaly.data.arrays.gzip_stream import open_gzip
from monai_anomaly.data.arrays.nifti import read_fields
from monai_anomaly.data.errors import ImageReadError, boundary

__all__ = ["ArrayPlace", "read_place"]


class ArrayPlace(NamedTuple):
    """From stored indices ``(column, row, slice)`` to the space of a viewer: ``(4, 4)``, and the code of its unit."""

    affine: npt.NDArray[np.float64]
    unit: int


def read_place(path: str | PathLike[str], frame: int = 0, frames_axis: int | None = None) -> ArrayPlace:
    """Return where one picture of a NIfTI file lies.

    Args:
        path: the file, which :class:`~monai_anomaly.data.image_reader.ClinicalImageReader` has read before.
        frame: the picture, from 0.
        frames_axis: the stored axis that counts pictures; the third one moves them, time does not.

    Raises:
        ImageReadError: when the header cannot be read, or its matrix places nothing.
    """
    with boundary("reading the NIfTI header"):
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            header = read_fields(open_gzip(stream) if packed else stream)
        affine = np.array(header.get_best_affine(), dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise ImageReadError("inconsistent", "the header's affine places no picture; export the file again.")
    if frames_axis == 2:
        affine[:3, 3] += frame * affine[:3, 2]
    return ArrayPlace(affine, int(header["xyzt_units"]) & 7)
