# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.zero_tail import has_zero_tail
from tests.helpers.dicom_files import make_dataset, save

NOISE = np.random.default_rng(0).integers(1, 256, (60, 80), dtype=np.uint8)
COLORS = np.random.default_rng(0).integers(1, 256, (60, 80, 3), dtype=np.uint8)


def lose_end(path: Path, stored: bytes, kept: int) -> None:
    """Put zeros in place of the end of the pixels, wherever the format has them."""
    content = path.read_bytes()
    at = content.index(stored)
    path.write_bytes(content[: at + kept] + bytes(len(stored) - kept) + content[at + len(stored) :])


def write(path: Path, pixels: np.ndarray) -> bytes:
    """Write an uncompressed picture; return its pixels as they are stored."""
    if path.suffix == ".dcm":
        save(path, make_dataset(pixels, "RGB" if pixels.ndim == 3 else "MONOCHROME2"))
    elif path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    elif path.suffix == ".nii":
        nib.save(nib.Nifti1Image(pixels.T, np.eye(4)), path)
    elif path.suffix == ".bmp":
        Image.fromarray(pixels).save(path)
        return np.ascontiguousarray(pixels[::-1, :, ::-1] if pixels.ndim == 3 else pixels[::-1]).tobytes()
    else:
        itk.imwrite(itk.image_from_array(pixels), str(path))
    return pixels.tobytes()


@pytest.mark.parametrize(
    ("name", "pixels"),
    [(f"a.{suffix}", NOISE) for suffix in ("dcm", "tif", "nii", "bmp", "nrrd", "mha")]
    + [(f"c.{suffix}", COLORS) for suffix in ("dcm", "tif", "bmp")],
)
def test_pixels_that_end_within_a_row_are_no_picture_in_any_format(tmp_path: Path, name: str, pixels: np.ndarray):
    stored = write(tmp_path / name, pixels)
    ClinicalImageReader().read(tmp_path / name)
    lose_end(tmp_path / name, stored, len(stored) // 2 + 37)
    with pytest.raises(ImageReadError, match="truncated"):
        ClinicalImageReader().read(tmp_path / name)


def disk(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return ((y - rows * 0.4) ** 2 + (x - columns / 2) ** 2 < (rows * 0.38) ** 2).astype(np.uint8)


def test_what_is_black_below_is_no_lost_end():
    rows = np.arange(60)[:, None]
    slanted = (rows * 7 + np.arange(80) < 300).astype(np.uint8)
    fan = disk(400, 600)
    box = np.zeros((60, 80), np.uint8)
    box[10:40, 10:50] = 1
    text = box.copy()
    text[45:52, 20:30:2] = 9
    bordered = NOISE.copy()
    bordered[:, 70:] = bordered[50:] = 0
    for picture in (NOISE, slanted, slanted[:, ::-1], fan, box, text, bordered, np.zeros((60, 80), np.uint8)):
        assert not has_zero_tail(picture)


@pytest.mark.parametrize("row", [9, 30, 58])
@pytest.mark.parametrize("column", [1, 30, 60])
def test_where_a_copy_breaks_off(row: int, column: int):
    lost = NOISE.copy().reshape(-1)
    lost[row * 80 + column :] = 0
    assert has_zero_tail(lost.reshape(60, 80))
    between = NOISE.copy()
    between[row:] = 0
    assert not has_zero_tail(between)  # that may be a black part
