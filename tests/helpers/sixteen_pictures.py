# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sixteen files of every kind that is read, for tests that compare two ways to a score."""

from __future__ import annotations

import shutil
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
from PIL import Image
from pydicom.data import get_testdata_file

from tests.helpers.pictures import make_gray

__all__ = ["write_pictures"]

DICOM = (
    "examples_rgb_color.dcm",  # ultrasound, RGB
    "examples_ybr_color.dcm",  # a cine of 30 frames, JPEG
    "examples_palette.dcm",
    "examples_jpeg2k.dcm",
    "SC_rgb_rle.dcm",
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
)


def write_pictures(folder: Path) -> list[Path]:
    """Write them into a folder, and return their paths."""
    gray = make_gray(72, 90, seed=1)
    color = np.stack([make_gray(66, 81, seed=seed) for seed in range(3)], axis=-1)
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(color).save(folder / "color.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(color).save(folder / "photo.jpg", quality=90)
    Image.fromarray(gray).save(folder / "gray.bmp")
    Image.fromarray(gray).save(folder / "gray.tif")
    nib.Nifti1Image(gray.T[..., None], np.diag([-0.4, -0.4, 1.0, 1.0])).to_filename(folder / "slice.nii.gz")
    itk.imwrite(itk.image_from_array(gray), str(folder / "gray.mha"))
    for name in DICOM:
        shutil.copy(get_testdata_file(name, download=False), folder / name)
    return sorted(folder.iterdir())
