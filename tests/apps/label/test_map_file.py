# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from monai_anomaly.apps.label.answer import score_image
from monai_anomaly.apps.label.map_file import encode_map
from monai_anomaly.bundle.loading import load
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.pictures import make_gray


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def detector(path):
    calibrate(path)
    return load(path, decode_limit=None, device="cpu")


def encoded(detector, file, suffix, kind):
    answer = score_image(detector, file)
    reader = detector.trained.preprocessing.reader
    return answer.result, encode_map(answer.result, file, reader, kind=kind, suffix=suffix)[0]


def ending(detector, file):
    return encode_map(score_image(detector, file).result, file, detector.trained.preprocessing.reader)[1]


def test_a_picture_has_a_map_of_its_own_size_whose_levels_are_the_maps_values(tmp_path, detector):
    file = tmp_path / "a.png"
    Image.fromarray(make_gray(72, 90)).save(file)
    assert ending(detector, file) == ".png"
    result, content = encoded(detector, file, ".png", "heat map")
    levels = np.asarray(Image.open(io.BytesIO(content)))
    low, high = result.map_range
    expected = np.clip(np.floor((result.map_on_source - low) * 254 / (high - low) + 1.5), 1, 255)
    assert levels.shape == (72, 90) and np.abs(levels - expected).max() <= 1
    _, content = encoded(detector, file, ".png", "region")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), result.map_on_source >= result.threshold)


def test_a_nifti_files_map_lies_where_the_file_lies(tmp_path, detector):
    place = np.array([[-0.4, 0, 0, 5], [0, -0.5, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1.0]])
    file = tmp_path / "a.nii.gz"
    nib.Nifti1Image(make_gray(72, 90).T[..., None], place).to_filename(file)
    assert ending(detector, file) == ".nii.gz"
    _, content = encoded(detector, file, ".nii.gz", "heat map")
    volume = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert volume.shape == (90, 72, 1) and volume.get_data_dtype() == np.uint8
    assert np.allclose(volume.affine, place)
    _, other = encoded(detector, file, ".nii", "heat map")
    assert other == gzip.decompress(content)
    _, png = encoded(detector, file, ".png", "heat map")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))).T, np.asarray(volume.dataobj)[..., 0])


def test_of_dicom_the_part_that_the_method_did_not_see_is_0(detector):
    file = get_testdata_file("examples_rgb_color.dcm", download=False)
    result, content = encoded(detector, Path(file), ".nii", "heat map")
    levels = np.asarray(nib.Nifti1Image.from_bytes(content).dataobj)[..., 0].T
    assert levels.shape == result.source_shape
    assert np.array_equal(levels == 0, ~np.isfinite(result.map_on_source))


def test_without_a_calibration_there_is_no_region(tmp_path, path):
    Image.fromarray(make_gray(72, 90)).save(tmp_path / "a.png")
    uncalibrated = load(path, calibration=False, decode_limit=None, device="cpu")
    with pytest.raises(CalibrationError, match="there is no calibration: put "):
        encoded(uncalibrated, tmp_path / "a.png", ".png", "region")


def test_other_endings_and_maps_are_refused(tmp_path, detector):
    Image.fromarray(make_gray()).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"result_extension must be one of .png, .nii.gz, .nii, got '.exe'"):
        encoded(detector, tmp_path / "a.png", ".exe", "region")
    with pytest.raises(ConfigError, match="map_kind must be heat map or region, got 'cold'"):
        encoded(detector, tmp_path / "a.png", ".png", "cold")


def test_the_guards_say_is_applicable(tmp_path, detector, path):
    Image.fromarray(make_gray()).save(tmp_path / "gray.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8) + np.uint8([255, 0, 90])).save(tmp_path / "red.png")
    record = score_image(detector, tmp_path / "red.png").record()
    assert record["decision"] == "not_applicable" and record["applicable"] is False
    unguarded = load(path, guard=False, decode_limit=None, device="cpu")
    assert score_image(unguarded, tmp_path / "gray.png").record()["applicable"] is None
