# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itk
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import make_dataset

RNG = np.random.default_rng(0)


def _sources(path, **options):
    return SourcePictures([{"index": 5, "image": str(path)}], Preprocessing(**options).reader)


def test_a_picture_is_whole_and_in_its_own_colors(tmp_path):
    pixels = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    decoded = _sources(tmp_path / "a.png", channels=1).read(5, None, (40, 60))
    assert np.array_equal(np.moveaxis(decoded.pixels, 0, -1) * 255, pixels)


def test_the_frame_is_the_one_that_is_asked_for(tmp_path):
    pixels = np.stack([np.full((40, 50), value, np.uint8) for value in (10, 20, 30)])
    make_dataset(pixels, NumberOfFrames=3).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    sources = _sources(tmp_path / "a.dcm")
    assert [round(float(sources.read(5, frame, (40, 50)).pixels.max()) * 255) for frame in (0, 2)] == [10, 30]


def test_a_file_that_has_changed_is_not_drawn_over(tmp_path):
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ImageReadError, match="has changed since it was scored"):
        _sources(tmp_path / "a.png").read(5, None, (60, 40))


def test_a_nifti_file_says_where_its_picture_lies_and_others_have_a_spacing(tmp_path):
    affine = np.array([[0, 0.3, 0, 5], [-0.2, 0, 0, -7], [0, 0, 2, 11], [0, 0, 0, 1]], dtype=float)
    pixels = RNG.integers(0, 256, (50, 40), dtype=np.uint8)
    nib.save(nib.Nifti1Image(pixels, affine), tmp_path / "a.nii.gz")
    sources = _sources(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(sources.place(5, sources.read(5, None, (40, 50))).affine, affine, atol=1e-6)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sources = _sources(tmp_path / "a.png")
    assert np.array_equal(sources.place(5, sources.read(5, None, (50, 40))).affine, np.diag([-1.0, -1, 1, 1]))


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_an_array_file_says_where_its_picture_lies_and_nifti_turns_two_axes_around(tmp_path, name):
    image = itk.image_from_array(RNG.integers(0, 256, (50, 40), dtype=np.uint8))
    image.SetSpacing([0.5, 0.25])
    image.SetOrigin([10.0, 20.0])
    turned = np.array([[0.0, 1.0], [1.0, 0.0]])  # columns run to the back, rows to the left
    image.SetDirection(turned)
    itk.imwrite(image, str(tmp_path / name))
    sources = _sources(tmp_path / name)
    affine = sources.place(5, sources.read(5, None, (50, 40))).affine
    np.testing.assert_allclose(affine @ [0, 0, 0, 1], [-10, -20, 0, 1])
    np.testing.assert_allclose(affine @ [2, 4, 0, 1], [-11, -21, 0, 1])  # a step of each axis is 1 mm, 1 mm
    np.testing.assert_allclose(affine @ [2, 0, 0, 1], [-10, -21, 0, 1])
