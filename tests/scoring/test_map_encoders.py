# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Maps are read back with other libraries, and with our own reader, which knows how a picture lies in a file."""

from __future__ import annotations

import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.arrays.nifti_place import ArrayPlace
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.scoring.map_encoders import encode_nifti_map, encode_npz_map, encode_png_map, place_by_spacing
from monai_anomaly.utils.heatmap import PALETTE

RANGE = (0.5, 3.0)


def _source_map(rows=9, columns=14):
    """Return a map whose corners differ and that has no values at its right and its bottom."""
    source_map = np.random.default_rng(0).uniform(0, 4, (rows, columns)).astype(np.float32)
    source_map[-2:], source_map[:, -3:] = np.nan, np.nan
    return source_map


def test_a_png_gives_the_map_back_and_nothing_outside_the_box():
    source_map = _source_map()
    picture = Image.open(io.BytesIO(encode_png_map(source_map, RANGE)))
    assert picture.mode == "P" and picture.info["transparency"] == 0 and picture.info["map_range"] == "0.5 3"
    indices, seen = np.asarray(picture), np.isfinite(source_map)
    assert np.array_equal(indices > 0, seen)
    values = RANGE[0] + (indices[seen].astype(float) - 1) * (RANGE[1] - RANGE[0]) / 254
    assert np.abs(values - np.clip(source_map[seen], *RANGE)).max() <= 0.5 * 2.5 / 254 + 1e-6
    colors = np.asarray(picture.convert("RGBA"))
    assert np.array_equal(colors[..., 3] == 255, seen)


def test_the_ends_of_the_scale_have_the_ends_of_the_palette():
    picture = Image.open(io.BytesIO(encode_png_map(np.array([[-9, 0.5, 3, 99]], np.float32), RANGE)))
    assert np.asarray(picture).tolist() == [[1, 1, 255, 255]]
    assert np.array_equal(np.asarray(picture.convert("RGB"))[0], PALETTE[[0, 0, -1, -1]])


def test_an_npz_has_every_number_and_needs_no_pickle():
    source_map, anomaly_map = _source_map(), np.random.default_rng(1).random((4, 4), dtype=np.float32)
    data = encode_npz_map(source_map, anomaly_map, map_range=RANGE, box=(0, 0, 11, 7))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        found = dict(archive)
    assert np.array_equal(found["map"], source_map, equal_nan=True) and found["map"].dtype == np.float32
    assert np.array_equal(found["network_map"], anomaly_map)
    assert found["source_shape"].tolist() == [9, 14] and found["box"].tolist() == [0, 0, 11, 7]
    assert found["map_range"].tolist() == list(RANGE)


def test_our_reader_shows_a_nifti_map_as_the_picture_lies(tmp_path):
    source_map = np.nan_to_num(_source_map(), nan=2.0)
    (tmp_path / "map.nii").write_bytes(encode_nifti_map(source_map, RANGE, place_by_spacing((0.2, 0.1))))
    decoded = ClinicalImageReader(channels=1).read(tmp_path / "map.nii")
    assert decoded.pixels.shape == (1, 9, 14) and decoded.voi  # the display range is the scale
    expected = (np.clip(source_map, *RANGE) - RANGE[0]) / (RANGE[1] - RANGE[0])
    np.testing.assert_allclose(decoded.pixels[0], expected, atol=1e-6)
    assert decoded.spacing == pytest.approx((0.2, 0.1))


def test_a_nifti_map_keeps_values_place_and_unit():
    affine = np.array([[0, 0.3, 0, 5], [-0.2, 0, 0, -7], [0, 0, 2, 11], [0, 0, 0, 1]], dtype=float)
    source_map = _source_map()
    image = nib.Nifti1Image.from_bytes(encode_nifti_map(source_map, RANGE, ArrayPlace(affine, 3)))
    assert image.shape == (14, 9, 1) and image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj)[..., 0].T, source_map, equal_nan=True)
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)
    assert image.header.get_xyzt_units()[0] == "micron"


def test_a_picture_without_a_place_runs_left_and_back():
    assert nib.aff2axcodes(place_by_spacing((2.0, 3.0)).affine) == ("L", "P", "S")
    assert np.array_equal(place_by_spacing((2.0, 3.0)).affine, np.diag([-3.0, -2, 1, 1]))
    assert place_by_spacing(None).unit == 0


def test_a_side_too_long_for_the_first_version_takes_the_second():
    data = encode_nifti_map(np.zeros((1, 40000), np.float32), RANGE, place_by_spacing(None))
    assert nib.Nifti2Image.from_bytes(data).shape == (40000, 1, 1)
