# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import logging
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
UNIT = PICTURE.astype(np.float32) / 255


def read(path, frame=None, **options):
    reader = ClinicalImageReader(channels=None, **options)
    return reader.get_data(reader.read(path, frame))


def refusal(path, frame=None, **options) -> ImageReadError:
    with pytest.raises(ImageReadError) as caught:
        read(path, frame, **options)
    assert str(path.parent) not in str(caught.value) and "CANARY" not in str(caught.value)
    return caught.value


def write(path: Path, array: np.ndarray, **fields) -> Path:
    """Write an array in stored order ``(x, y, ...)``, then overwrites fields of the header on the disk."""
    image = nib.Nifti1Image(array, np.eye(4), dtype=None if array.dtype.names else array.dtype)
    nib.save(image, path)
    if fields:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as stream:
            content = stream.read()
        header = nib.Nifti1Header(content[:348], check=False)
        for name, value in fields.items():
            header[name] = value
        with opened(path, "wb") as stream:
            stream.write(header.binaryblock + content[348:])
    return path


# --- axes and colors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "axis"), [((56, 40, 5), 2), ((56, 40, 1, 5), 3), ((56, 40, 5, 1), 2)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_frames_of_the_named_axis(tmp_path: Path, shape, axis: int, suffix: str):
    frames = RNG.integers(0, 256, shape, dtype=np.uint8)
    path = write(tmp_path / f"a{suffix}", frames)
    assert refusal(path).code == "ambiguous_axes"
    reader = ClinicalImageReader(frames_axis=axis)
    assert reader.count_frames(path) == 5
    for frame in (4, 0, 2):
        image, meta = read(path, frame, frames_axis=axis)
        expected = frames.reshape(56, 40, 5)[:, :, frame].T.astype(np.float32) / 255
        np.testing.assert_array_equal(image[0], expected)
        assert (meta["frames"], meta["frame"], meta["kind"]) == (5, frame, "nifti")
    assert [decoded.frame for decoded in reader.read_frames(path)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("axis", [0, 1, 3, -1])
def test_axis_that_counts_no_frames(tmp_path: Path, axis: int):
    assert refusal(write(tmp_path / "a.nii", np.zeros((56, 40, 5), np.uint8)), frames_axis=axis).code == "inconsistent"


def test_frames_axis_leaves_no_second_axis(tmp_path: Path):
    path = write(tmp_path / "a.nii", np.zeros((6, 5, 4, 3), np.uint8))
    assert {refusal(path, frames_axis=axis).code for axis in (None, 2, 3)} == {"ambiguous_axes"}


def test_single_frame_of_an_uncompressed_cine_reads_no_other(tmp_path: Path):
    frames = RNG.random((56, 40, 1, 4), dtype=np.float32)
    frames[:, :, 0, 3] = np.nan
    path = write(tmp_path / "a.nii", frames)
    image, _ = read(path, 1, frames_axis=3, value_range=(0, 1))
    np.testing.assert_allclose(image[0], frames[:, :, 0, 1].T, atol=1e-7)
    assert refusal(path, 3, frames_axis=3, value_range=(0, 1)).code == "non_finite"


@pytest.mark.parametrize("fields", [("R", "G", "B"), ("R", "G", "B", "A")])
def test_structured_colors(tmp_path: Path, fields):
    stored = np.full((56, 40), 255, np.dtype([(name, "u1") for name in fields]))
    for name, plane in zip("RGB", COLOR.transpose(2, 1, 0), strict=True):
        stored[name] = plane
    path = write(tmp_path / "a.nii", stored)
    image, meta = read(path)
    np.testing.assert_array_equal(image, COLOR.transpose(2, 0, 1).astype(np.float32) / 255)
    assert meta["warnings"] == []
    if "A" in fields:
        stored["A"][:, :10] = 0
        image, meta = read(write(tmp_path / "b.nii", stored))
        assert image[:, :10].max() == 0 and "transparent" in meta["warnings"][0]
        np.testing.assert_array_equal(image[:, 10:], COLOR[10:].transpose(2, 0, 1).astype(np.float32) / 255)


def test_fifth_axis_of_colors(tmp_path: Path):
    stored = COLOR.transpose(1, 0, 2)[:, :, None, None, :]
    image, _ = read(write(tmp_path / "a.nii", stored))
    np.testing.assert_array_equal(image, COLOR.transpose(2, 0, 1).astype(np.float32) / 255)
    cine = np.concatenate([stored, 255 - stored], axis=3)
    image, meta = read(write(tmp_path / "b.nii", cine), 1, frames_axis=3)
    np.testing.assert_array_equal(image, (255 - COLOR).transpose(2, 0, 1).astype(np.float32) / 255)
    assert meta["frames"] == 2
    image, meta = read(tmp_path / "a.nii", 2, frames_axis=4)  # what the caller names outranks the convention
    np.testing.assert_array_equal(image[0], COLOR[..., 2].astype(np.float32) / 255)
    displacement = write(tmp_path / "c.nii", stored, intent_code=1006)
    assert refusal(displacement).code == "ambiguous_axes"


def test_affine_never_flips(tmp_path: Path):
    nib.save(nib.Nifti1Image(PICTURE.T, np.diag([-2.0, -3.0, 1, 1])), tmp_path / "a.nii")
    np.testing.assert_array_equal(read(tmp_path / "a.nii")[0][0], UNIT)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_byte_order_and_version(tmp_path: Path, order: str, kind):
    header = kind.header_class(endianness=order)
    stored = PICTURE.astype(np.uint16) * 257
    header.set_data_dtype(np.uint16)
    nib.save(kind(stored.T, np.eye(4), header), tmp_path / "a.nii")
    np.testing.assert_array_equal(read(tmp_path / "a.nii")[0][0], stored.astype(np.float32) / 65535)


# --- black and white -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_types_without_black_and_white_are_refused_with_the_cure(tmp_path: Path, dtype: str):
    values = PICTURE.astype(dtype) if dtype != "int8" else (PICTURE // 2).astype(dtype)
    path = write(tmp_path / "a.nii", values.T)
    error = refusal(path)
    assert error.code == "unknown_range" and "value_range" in error.message
    image, meta = read(path, value_range=(-100, 155))
    np.testing.assert_allclose(image[0], np.clip((values.astype(float) + 100) / 255, 0, 1), atol=1e-7)
    assert not meta["voi"] and meta["warnings"] == []


def test_display_range_of_the_header_is_a_switch(tmp_path: Path):
    values = PICTURE.astype(np.int16) * 10 - 300
    path = write(tmp_path / "a.nii", values.T, cal_min=-300, cal_max=1000)
    image, meta = read(path)
    np.testing.assert_allclose(image[0], np.clip((values + 300.0) / 1300, 0, 1), atol=1e-7)
    assert meta["voi"]
    assert refusal(path, voi=False).code == "unknown_range"
    image, meta = read(path, value_range=(-300, 2250))
    np.testing.assert_allclose(image[0], UNIT, atol=1e-7)
    assert not meta["voi"]


@pytest.mark.parametrize("declared", [(0, 0), (9, 3), (np.nan, 3), (0, np.inf)])
def test_display_range_that_is_none(tmp_path: Path, declared):
    path = write(tmp_path / "a.nii", PICTURE.T, cal_min=declared[0], cal_max=declared[1])
    np.testing.assert_array_equal(read(path)[0][0], UNIT)


def test_range_holds_for_all_frames(tmp_path: Path):
    frames = np.stack([np.full((6, 5), 0.25), np.full((6, 5), 0.5), np.full((6, 5), 1.0)], axis=-1)
    path = write(tmp_path / "a.nii", frames)
    assert [read(path, frame, frames_axis=2)[0].mean() for frame in range(3)] == [0.25, 0.5, 1.0]
    frames[0, 0, 2] = 1.5  # one pixel of the last frame takes the meaning from all of them
    path = write(tmp_path / "b.nii.gz", frames)
    assert {refusal(path, frame, frames_axis=2).code for frame in range(3)} == {"unknown_range"}


def test_slope_makes_real_numbers(tmp_path: Path):
    path = write(tmp_path / "a.nii", PICTURE.T, scl_slope=1 / 255, scl_inter=0)
    np.testing.assert_allclose(read(path)[0][0], UNIT, atol=1e-6)
    path = write(tmp_path / "b.nii", PICTURE.T, scl_slope=2, scl_inter=7)
    assert refusal(path).code == "unknown_range"
    np.testing.assert_allclose(read(path, value_range=(7, 517))[0][0], UNIT, atol=1e-6)


def test_slope_of_zero_is_none(tmp_path: Path):
    path = write(tmp_path / "a.nii", PICTURE.T, scl_slope=0, scl_inter=np.nan)
    np.testing.assert_array_equal(read(path)[0][0], UNIT)


@pytest.mark.parametrize(("slope", "inter"), [(np.inf, 0), (np.nan, 0), (1, np.inf), (1, np.nan), (3e38, 0)])
def test_slope_that_is_no_number(tmp_path: Path, slope: float, inter: float):
    path = write(tmp_path / "a.nii", np.full((4, 4), 1e308), scl_slope=slope, scl_inter=inter)
    assert refusal(path, value_range=(0, 1)).code == "non_finite"


def test_dark_sixteen_bits_are_said(tmp_path: Path):
    _, meta = read(write(tmp_path / "a.nii", PICTURE.T.astype(np.uint16) * 16))  # 12 bits
    assert "eighth" in meta["warnings"][0] and "value_range" in meta["warnings"][0]
    _, meta = read(tmp_path / "a.nii", value_range=(0, 4095))
    assert meta["warnings"] == []


def test_range_beside_the_values_is_said(tmp_path: Path):
    image, meta = read(write(tmp_path / "a.nii", PICTURE.T), value_range=(1000, 2000))
    assert image.max() == 0 and "outside" in meta["warnings"][0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_among_the_pixels(tmp_path: Path, bad: float):
    values = UNIT.T.copy()
    values[3, 4] = bad
    path = write(tmp_path / "a.nii", values)
    assert {refusal(path).code, refusal(path, value_range=(0, 1)).code} == {"non_finite"}


# --- spacing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "zooms", "expected"),
    [
        (2, (0.5, 0.25), [0.25, 0.5]),
        (1, (0.5, 0.25), [250, 500]),
        (3, (500, 250), [0.25, 0.5]),
        (0, (0.5, 0.25), []),
        (7, (0.5, 0.25), []),
        (2, (0, 0.25), []),
        (2, (np.nan, 0.25), []),
        (2, (-0.5, 0.25), []),
    ],
)
def test_spacing(tmp_path: Path, unit: int, zooms, expected):
    path = write(tmp_path / "a.nii", PICTURE.T, xyzt_units=unit, pixdim=[1, *zooms, 1, 0, 0, 0, 0])
    _, meta = read(path)
    assert meta["spacing"] == pytest.approx(expected) and meta["spacing_origin"] == ("nifti" if expected else "")


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dim": [2, -56, 40, 1, 1, 1, 1, 1]}, "inconsistent"),
        ({"dim": [2, 0, 40, 1, 1, 1, 1, 1]}, "inconsistent"),
        ({"dim": [0, 56, 40, 1, 1, 1, 1, 1]}, "inconsistent"),
        ({"dim": [1, 56, 40, 1, 1, 1, 1, 1]}, "inconsistent"),
        ({"dim": [2, 56, 41, 1, 1, 1, 1, 1]}, "truncated"),
        ({"dim": [2, 56, 39, 1, 1, 1, 1, 1]}, "inconsistent"),
        ({"dim": [2, 32767, 32767, 1, 1, 1, 1, 1]}, "budget"),
        ({"dim": [7, 56, 40, 1, 1, 1, 1, 2]}, "ambiguous_axes"),
        ({"datatype": 32, "bitpix": 64}, "unsupported"),
        ({"datatype": 1, "bitpix": 1}, "unsupported"),
        ({"datatype": 999}, "unsupported"),
        ({"bitpix": 16}, "inconsistent"),
        ({"vox_offset": 0}, "inconsistent"),
        ({"vox_offset": 352.5}, "inconsistent"),
        ({"vox_offset": np.nan}, "inconsistent"),
        ({"vox_offset": 1e30}, "inconsistent"),
        ({"vox_offset": 368}, "truncated"),
        ({"sizeof_hdr": 540}, "inconsistent"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_bad_headers(tmp_path: Path, fields, code: str, suffix: str):
    assert refusal(write(tmp_path / f"a{suffix}", PICTURE.T, **fields)).code == code


def test_two_files_are_refused_with_the_cure(tmp_path: Path):
    nib.save(nib.Nifti1Pair(PICTURE.T, np.eye(4)), tmp_path / "a.img")
    error = refusal(tmp_path / "a.hdr")
    assert error.code == "unsupported" and ".nii" in error.message


def test_cut_headers(tmp_path: Path):
    content = write(tmp_path / "a.nii", PICTURE.T).read_bytes()
    (tmp_path / "a.nii").write_bytes(content[:347])
    assert refusal(tmp_path / "a.nii").code == "truncated"
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"no image"))
    assert refusal(tmp_path / "b.nii.gz").code == "decode_failed"


def test_packed_file_is_checked_to_its_end(tmp_path: Path):
    content = write(tmp_path / "a.nii.gz", PICTURE.T).read_bytes()
    for name, changed, code in (
        ("cut", content[:-4], "truncated"),
        ("sum", content[:-8] + bytes(4) + content[-4:], "decode_failed"),
        ("more", gzip.compress(gzip.decompress(content) + b"x"), "inconsistent"),
    ):
        (tmp_path / f"{name}.nii.gz").write_bytes(changed)
        assert refusal(tmp_path / f"{name}.nii.gz").code == code


def test_limits_of_a_cine(tmp_path: Path):
    path = write(tmp_path / "a.nii.gz", np.zeros((8, 8, 5), np.uint8))
    assert refusal(path, frames_axis=2, max_frames=4).code == "budget"
    assert refusal(path, frames_axis=2, max_bytes=8 * 8 * 5 * 4 - 1).code == "budget"
    assert refusal(path, frames_axis=2, max_pixels=63).code == "budget"
    read(path, frames_axis=2, max_bytes=8 * 8 * 5 * 4, max_frames=5, max_pixels=64)


def test_text_of_the_header_stays_out(tmp_path: Path, caplog, capfd):
    image = nib.Nifti1Image(PICTURE.T, np.eye(4))
    image.header["descrip"], image.header["db_name"] = b"CANARY", b"CANARY"
    image.header.extensions.append(Nifti1Extension("comment", b"CANARY"))
    nib.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[123] = 0xFF  # an impossible unit
    content[76:80] = np.float32(-3).tobytes()  # an impossible qfac
    (tmp_path / "a.nii").write_bytes(content)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        _, meta = read(tmp_path / "a.nii")
    seen = capfd.readouterr()
    assert not caplog.text and not seen.out and not seen.err and "CANARY" not in str(meta)
