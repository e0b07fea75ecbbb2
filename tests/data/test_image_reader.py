# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import LoadImage
from PIL import Image
from pydicom.pixels import pixel_array

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import CR1, READER, bundled, make_dataset, read, refusal, save

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "mean", "modality"),
    [
        # means of pydicom's own decoding, converted by hand once; CR1 is the value of highdicom's VOI + presentation
        (CR1, (1, 16, 16), 0.38325, "CR"),
        ("examples_rgb_color.dcm", (3, 240, 320), None, "US"),
        ("examples_jpeg2k.dcm", (3, 480, 640), None, "US"),
        ("ExplVR_BigEnd.dcm", (3, 60, 80), None, "US"),
    ],
)
def test_bundled_files(name, shape, mean, modality):
    path = bundled(name)
    image, meta = read(path)
    assert image.shape == shape and image.dtype == np.float32
    assert meta["modality"] == modality and meta["warnings"] in ([], ["(7FE0,0010) Pixel Data has trailing bytes"])
    if mean is None:
        mean = pixel_array(path).mean() / 255
    assert image.mean() == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_png_dicom_and_nifti_of_one_picture_are_equal(tmp_path: Path, photometric: str):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    stored = PICTURE if photometric == "MONOCHROME2" else 255 - PICTURE
    dicom = save(tmp_path / "a.dcm", make_dataset(stored, photometric))
    nib.save(nib.Nifti1Image(PICTURE.T, np.eye(4)), tmp_path / "a.nii.gz")
    png, _ = read(tmp_path / "a.png")
    np.testing.assert_array_equal(png, PICTURE[None].astype(np.float32) / 255)
    np.testing.assert_allclose(read(dicom)[0], png, atol=1e-6)
    np.testing.assert_array_equal(read(tmp_path / "a.nii.gz")[0], png)


def test_color_png_dicom_and_luma(tmp_path: Path):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    dicom = save(tmp_path / "a.dcm", make_dataset(COLOR, "RGB"))
    png, _ = read(tmp_path / "a.png")
    np.testing.assert_array_equal(read(dicom)[0], png)
    gray, _ = read(tmp_path / "a.png", ClinicalImageReader(channels=1))
    np.testing.assert_allclose(gray[0], (COLOR / 255) @ [0.299, 0.587, 0.114], atol=1e-6)
    assert gray.max() <= 1


def test_channels_three_of_gray(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image, _ = read(tmp_path / "a.png", ClinicalImageReader(channels=3))
    assert image.shape == (3, 40, 56) and (image[0] == image[2]).all()


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("P", "png"), ("LA", "png"), ("RGBA", "png"), ("CMYK", "tif"), ("I;16", "png")]
)
def test_raster_modes(tmp_path: Path, mode: str, suffix: str):
    if mode == "I;16":
        Image.fromarray(PICTURE.astype(np.uint16) * 257).save(tmp_path / "a.png")
    else:
        Image.fromarray(PICTURE).convert("RGB" if mode == "CMYK" else "L").convert(mode).save(tmp_path / f"a.{suffix}")
    image, meta = read(tmp_path / f"a.{suffix}", ClinicalImageReader(channels=1))
    expected = PICTURE / 255 if mode != "1" else np.asarray(Image.fromarray(PICTURE).convert("1"))
    np.testing.assert_allclose(image[0], expected, atol=0.005)
    assert meta["warnings"] == []


def test_transparent_parts_are_black_and_said(tmp_path: Path):
    picture = np.dstack([COLOR, np.full((40, 56), 255, np.uint8)])
    picture[:10, :, 3] = 0
    Image.fromarray(picture).save(tmp_path / "a.png")
    image, meta = read(tmp_path / "a.png")
    assert image[:, :10].max() == 0 and len(meta["warnings"]) == 1
    np.testing.assert_allclose(image[:, 10:], COLOR[10:].transpose(2, 0, 1) / 255, atol=1e-6)


def test_jpeg_is_turned_upright(tmp_path: Path):
    image = Image.fromarray(PICTURE)
    exif = image.getexif()
    exif[0x0112] = 6  # stored lying on its side
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert read(tmp_path / "a.jpg")[0].shape == (1, 56, 40)


def test_content_decides_not_the_name(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (tmp_path / "a.dcm").write_bytes((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], read(tmp_path / "a.png")[0])


def test_works_inside_monai_load_image(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image = LoadImage(reader=READER, image_only=True)(tmp_path / "a.png")
    np.testing.assert_array_equal(image.numpy(), read(tmp_path / "a.png")[0])
    assert READER.verify_suffix(["a.png", "IM0001", "b.nii.gz"]) and not READER.verify_suffix("a.zip")


# --- NIfTI -----------------------------------------------------------------------------------------------------------


def test_nifti_time_needs_a_named_axis(tmp_path: Path):
    frames = RNG.integers(0, 256, (56, 40, 5), dtype=np.uint8)
    nib.save(nib.Nifti1Image(frames, np.eye(4)), tmp_path / "a.nii")
    assert refusal(tmp_path / "a.nii").code == "ambiguous_axes"
    image, meta = read(tmp_path / "a.nii", ClinicalImageReader(frames_axis=2), 3)
    np.testing.assert_array_equal(image[0], frames[:, :, 3].T.astype(np.float32) / 255)
    assert (meta["frames"], meta["frame"]) == (5, 3)


def test_nifti_ranges(tmp_path: Path):
    values = np.linspace(0, 1000, 56 * 40, dtype=np.float32).reshape(56, 40)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    assert refusal(tmp_path / "a.nii").code == "unknown_range"
    image, meta = read(tmp_path / "a.nii", ClinicalImageReader(value_range=(0, 2000)))
    assert image.max() == pytest.approx(0.5) and meta["warnings"] == []
    nib.save(nib.Nifti1Image(values / 1000, np.eye(4)), tmp_path / "b.nii")
    np.testing.assert_allclose(read(tmp_path / "b.nii")[0][0], values.T / 1000, atol=1e-7)


def test_nifti_faults(tmp_path: Path):
    values = np.full((56, 40), np.nan, np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "nan.nii")
    assert refusal(tmp_path / "nan.nii").code == "non_finite"
    nib.save(nib.Nifti1Image(RNG.random((56, 40)).astype(np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    content = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    assert refusal(tmp_path / "cut.nii.gz").code == "truncated"
    header = nib.Nifti1Header()
    header.set_data_shape((32767, 32767))
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(tmp_path / "bomb.nii.gz", "wb") as stream:
        stream.write(header.binaryblock + bytes(4096))
    assert refusal(tmp_path / "bomb.nii.gz").code == "budget"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "not_dicom"), (b"hello", "not_dicom"), (bytes(5000), "not_dicom"), (b"\x89PNG\r\n\x1a\n", "decode_failed")],
)
def test_garbage(tmp_path: Path, content: bytes, code: str):
    (tmp_path / "IM0001").write_bytes(content)
    assert refusal(tmp_path / "IM0001").code == code


def test_missing_file_and_folder(tmp_path: Path):
    assert refusal(tmp_path / "none.png").code == "not_found"
    assert refusal(tmp_path).code == "unreadable"


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_truncated_rasters(tmp_path: Path, suffix: str, share: float):
    Image.fromarray(PICTURE).save(tmp_path / f"a.{suffix}")
    content = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"b.{suffix}").write_bytes(content[: int(share * len(content))])
    assert refusal(tmp_path / f"b.{suffix}").code in ("truncated", "decode_failed")


def test_large_raster_is_refused_by_its_header(tmp_path: Path):
    Image.new("1", (9000, 9000)).save(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png").code == "budget"


def test_everything_but_an_interrupt_becomes_one_error():
    for raised in (StopIteration, RecursionError, MemoryError, KeyError):
        with pytest.raises(ImageReadError), boundary("testing"):
            raise raised
    with pytest.raises(KeyboardInterrupt), boundary("testing"):
        raise KeyboardInterrupt


def test_mutated_files_never_escape(tmp_path: Path):
    names = ["examples_rgb_color.dcm", "ExplVR_BigEnd.dcm", "examples_ybr_color.dcm", CR1]
    sources = [Path(bundled(name)).read_bytes() for name in names]
    rng = np.random.default_rng(1)
    path = tmp_path / "a.dcm"
    read_whole = 0
    for number in range(80):
        content = bytearray(sources[number % len(sources)])
        for _ in range(int(rng.integers(1, 30))):
            content[int(rng.integers(132, min(len(content), 4000)))] = int(rng.integers(256))
        path.write_bytes(content)
        try:
            image, meta = read(path)
        except ImageReadError:
            continue
        read_whole += 1
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
        assert image.size > 0 and meta["frames"] >= 1
    assert 0 < read_whole < 80


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(ImageReadError("code", "a sentence.")))
    assert (error.code, error.message, str(error)) == ("code", "a sentence.", "code: a sentence.")


def test_arguments_are_checked():
    for arguments in ({"channels": 2}, {"max_pixels": 0}, {"value_range": (1, 1)}):
        with pytest.raises(ValueError, match="must be"):
            ClinicalImageReader(**arguments)


def test_pipes_and_devices_are_never_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.dcm")  # opening it would wait for ever
    for path in (tmp_path / "pipe.dcm", Path("/dev/null")):
        assert refusal(path).code == "unreadable"
        with pytest.raises(ImageReadError, match="unreadable"):
            ClinicalImageReader().read_mask(path)
