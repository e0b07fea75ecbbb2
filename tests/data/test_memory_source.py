# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from pydicom import Dataset, dcmread, examples
from pydicom.uid import RLELossless

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.memory_source import memory_source
from monai_anomaly.transforms.load import LoadClinicalImage
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.trained_models import assert_same

READER = ClinicalImageReader(channels=None)
RNG = np.random.default_rng(0)


def _read(data, value_range=None, reader=READER, frame=None):
    return reader.read(memory_source(data, reader, value_range), frame)


@pytest.mark.parametrize(
    ("dtype", "white"), [("bool", 1), ("uint8", 255), ("uint16", 65535), (">u2", 65535)]
)  # big endian
def test_a_type_that_has_a_range_is_scaled_by_it(dtype, white):
    values = RNG.integers(0, white, (5, 7), endpoint=True).astype(dtype)
    decoded = _read(values)
    np.testing.assert_allclose(decoded.pixels, values[None].astype(float) / white, atol=1e-6)
    assert decoded.pixels.dtype == np.float32 and (decoded.kind, decoded.frames) == ("array", 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint32"])
def test_another_type_needs_its_range(dtype):
    values = RNG.integers(0, 100, (3, 5, 7)).astype(dtype)
    with pytest.raises(ImageReadError, match=rf"unknown_range: an array of {dtype} .*value_range=\(black, white\)"):
        _read(values)
    expected = np.clip((values.astype(float) - 10) / 40, 0, 1)
    np.testing.assert_allclose(_read(values, (10, 50)).pixels, expected, atol=1e-6)


def test_a_given_range_goes_before_that_of_the_type():
    np.testing.assert_allclose(_read(np.full((4, 4), 30, np.uint16), (0, 120)).pixels, 0.25)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.full((1, 4, 6), 51, dtype=torch.uint8),
        MetaTensor(torch.full((1, 4, 6), 51, dtype=torch.uint8)),
    ],
)
def test_tensors_are_arrays(tensor):
    np.testing.assert_allclose(_read(tensor).pixels, 0.2, rtol=1e-6)
    half = tensor.to(torch.bfloat16).requires_grad_()
    np.testing.assert_allclose(_read(half, (0, 255)).pixels, 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "cure"),
    [
        ((4, 6, 3), "moveaxis"),
        ((4, 6, 1), "moveaxis"),
        ((2, 4, 6), "1 or 3 channels"),
        ((5, 3, 4, 6), "a batch"),
        ((6,), "1 or 3 channels"),
        ((), "1 or 3 channels"),
    ],
)
def test_a_shape_that_is_no_picture_says_what_to_do(shape, cure):
    with pytest.raises(ImageReadError, match=cure):
        _read(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (np.full((4, 4), math.nan), "non_finite"),
        (np.full((4, 4), -math.inf, np.float16), "non_finite"),
        (np.full((4, 4), 1j), "unsupported"),
        (np.full((4, 4), None), "unsupported"),
        (np.ma.masked_equal(np.eye(4), 0), "unsupported"),
        (np.zeros((0, 4), np.uint8), "inconsistent"),
        (Image.new("I", (4, 4), 70000), "unknown_range"),
        (Image.new("F", (4, 4), math.nan), "non_finite"),
    ],
)
def test_pixels_that_are_none_are_refused(data, code):
    with pytest.raises(ImageReadError) as caught:
        _read(data, None if isinstance(data, Image.Image) else (0, 1))
    assert caught.value.code == code


@pytest.mark.parametrize("wrong", [(1, 1), (2, 0), (0, math.inf), (math.nan, 1), (0,), (0, 1, 2), 5, "ab"])
def test_a_range_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"value_range must be \(black, white\)"):
        _read(np.zeros((4, 4)), wrong)


@pytest.mark.parametrize("data", [np.zeros((40, 40), np.uint8), Image.new("L", (40, 40)), make_dataset(np.eye(40) > 0)])
def test_the_readers_limits_hold(data):
    with pytest.raises(ImageReadError, match="budget"):
        _read(data, reader=ClinicalImageReader(max_pixels=1599))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_an_image_of_pillow_is_its_file(tmp_path, mode):
    pixels = RNG.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(_read(image).pixels, READER.read(tmp_path / "a.tif").pixels)


def test_an_image_of_pillow_stands_upright_and_is_left_as_it_was(tmp_path):
    image = Image.fromarray(RNG.integers(0, 256, (8, 9), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as opened:
        decoded = _read(opened)
        assert decoded.pixels.shape == (1, 9, 8) and opened.size == (9, 8)
    np.testing.assert_array_equal(decoded.pixels, READER.read(tmp_path / "a.jpg").pixels)


def test_the_page_of_a_tiff_that_pillow_shows_is_the_picture(tmp_path):
    pages = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (10, 20, 30)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(tmp_path / "a.tif") as opened:
        opened.seek(1)
        decoded = _read(opened)
    np.testing.assert_allclose(decoded.pixels, 20 / 255)
    assert decoded.frames == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # of pydicom's own file, when it becomes JSON
@pytest.mark.parametrize("name", ["ct", "jpeg2k", "palette_color", "rgb_color", "ybr_color", "rt_dose"])
def test_a_dataset_is_its_file(name):
    path = str(examples.get_path(name))
    dataset = dcmread(path)
    before = dataset.to_json()
    try:
        from_file = READER.read(path)
    except ImageReadError as error:
        with pytest.raises(ImageReadError, match=error.code):
            _read(dataset)
        return
    decoded = _read(dataset)
    np.testing.assert_array_equal(decoded.pixels, from_file.pixels)
    assert (decoded.box, decoded.frames, decoded.warnings) == (from_file.box, from_file.frames, from_file.warnings)
    assert dataset.to_json() == before


def test_a_dataset_that_was_made_in_memory_is_read_with_its_frames(tmp_path):
    cine = RNG.integers(0, 256, (4, 8, 9), dtype=np.uint8)
    dataset = make_dataset(cine)
    source = memory_source(dataset, READER)
    assert source.frames == READER.count_frames(source) == 4
    for frame in (None, 0, 3):
        path = save(tmp_path / "a.dcm", dataset)
        np.testing.assert_array_equal(READER.read(source, frame).pixels, READER.read(path, frame).pixels)
    with pytest.raises(ImageReadError, match="frame_count"):
        READER.read(source, 4)


@pytest.mark.parametrize("limit", [None, 10])
def test_the_reader_takes_a_dataset_as_its_file_with_all_that_is_said_of_it(tmp_path, limit):
    dataset = make_dataset(RNG.integers(0, 256, (5, 40, 48), dtype=np.uint8))
    path, reader = save(tmp_path / "a.dcm", dataset), ClinicalImageReader(channels=None, decode_limit=limit)
    assert reader.count_frames(dataset) == 5
    for frame in (None, 4):
        ours, theirs = reader.read(dataset, frame), reader.read(path, frame)
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        assert replace(ours, values=None) == replace(theirs, values=None) and ours.identifiers
    loaded = (LoadClinicalImage(decode_limit=limit)(data, 4) for data in (dataset, path))
    assert torch.equal(*loaded)
    prepared = (Preprocessing(32, decode_limit=limit)({"image": data}) for data in (dataset, path))
    assert_same(*prepared)
    with pytest.raises(ImageReadError, match="frame_count"):
        reader.read(dataset, 5)


def test_a_dataset_that_takes_too_long_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dataset = make_dataset(RNG.integers(0, 256, (2, 3000, 3000), dtype=np.uint8))
    dataset.compress(RLELossless)
    with pytest.raises(ImageReadError, match=r"budget.*decode_limit"):
        ClinicalImageReader(decode_limit=0.01).read(dataset, 1)
    assert not list(tmp_path.iterdir())


def test_a_dataset_without_pixels_or_syntax_is_one_error(capfd):
    dataset = make_dataset(np.zeros((8, 9), np.uint8))
    del dataset.file_meta.TransferSyntaxUID
    for data, code in ((dataset, "missing_tag"), (Dataset(), "missing_tag")):
        with pytest.raises(ImageReadError) as caught:
            _read(data)
        assert caught.value.code == code and "CANARY" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_something_else_is_a_type_error():
    with pytest.raises(TypeError, match="got dict"):
        memory_source({}, READER)
