# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from monai_anomaly.data.arrays.nifti_place import read_place
from monai_anomaly.data.errors import ImageReadError

AFFINE = np.array([[0, -0.3, 0, 5], [-0.2, 0, 0, -7], [0, 0, 2, 11], [0, 0, 0, 1]], dtype=float)


def _save(path, affine=AFFINE, shape=(6, 5, 4)):
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_picture_lies_where_the_header_says(tmp_path, name):
    place = read_place(_save(tmp_path / name))
    np.testing.assert_allclose(place.affine, AFFINE, atol=1e-6)
    assert place.unit == 2


def test_a_slice_lies_where_its_number_says_and_a_time_where_all_do(tmp_path):
    path = _save(tmp_path / "a.nii")
    index = np.array([2, 1, 3, 1])  # of the stack
    there = read_place(path, 3, frames_axis=2).affine @ [2, 1, 0, 1]
    np.testing.assert_allclose(there, AFFINE @ index, atol=1e-6)
    np.testing.assert_allclose(read_place(path, 3, frames_axis=3).affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_matrix_that_places_nothing_is_refused(tmp_path, value):
    path = _save(tmp_path / "a.nii")
    data = bytearray(path.read_bytes())
    for row in range(3):  # srow_x, srow_y, srow_z
        start = 280 + 16 * row
        data[start : start + 12] = np.full(3, value, np.float32).tobytes()
    path.write_bytes(data)
    with pytest.raises(ImageReadError, match="affine places no picture"):
        read_place(path)


def test_a_file_that_is_gone_or_cut_is_one_error(tmp_path):
    with pytest.raises(ImageReadError, match="does not exist"):
        read_place(tmp_path / "none.nii")
    (tmp_path / "cut.nii").write_bytes(_save(tmp_path / "a.nii").read_bytes()[:345])
    with pytest.raises(ImageReadError):
        read_place(tmp_path / "cut.nii")
