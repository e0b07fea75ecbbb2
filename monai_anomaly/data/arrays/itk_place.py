# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a NRRD or MetaImage file says that its picture is, for a NIfTI file that is to lie over it."""

from __future__ import annotations

from os import PathLike, fspath

import numpy as np

from monai_anomaly.data.arrays.itk_image import import_itk
from monai_anomaly.data.arrays.nifti_place import ArrayPlace
from monai_anomaly.data.errors import ImageReadError, boundary

__all__ = ["read_itk_place"]

_MILLIMETERS = 2


def read_itk_place(path: str | PathLike[str], kind: str, frame: int = 0, frames_axis: int | None = None) -> ArrayPlace:
    """Return where one picture of a file lies, in NIfTI's space, whose first two axes are ITK's turned around.

    Args:
        path: the file, which :class:`~monai_anomaly.data.image_reader.ClinicalImageReader` has read before.
        kind: ``"nrrd"`` or ``"metaimage"``.
        frame: the picture, from 0.
        frames_axis: the stored axis that counts pictures; the third one moves them.

    Raises:
        ImageReadError: when the header cannot be read, or its directions place nothing.
    """
    with boundary("reading the header"):
        itk = import_itk()
        decoder = itk.NrrdImageIO.New() if kind == "nrrd" else itk.MetaImageIO.New()
        decoder.SetFileName(fspath(path))
        decoder.ReadImageInformation()
        axes = min(3, decoder.GetNumberOfDimensions())
        affine = np.eye(4)
        for axis in range(axes):
            affine[:axes, axis] = np.array(decoder.GetDirection(axis))[:axes] * decoder.GetSpacing(axis)
            affine[axis, 3] = decoder.GetOrigin(axis)
    affine[:2] *= -1
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise ImageReadError("inconsistent", "the header's directions place no picture; export the file again.")
    if frames_axis == 2:
        affine[:3, 3] += frame * affine[:3, 2]
    return ArrayPlace(affine, _MILLIMETERS)
