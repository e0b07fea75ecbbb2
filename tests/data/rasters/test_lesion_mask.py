# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.rasters.lesion_mask import TAKEN_UPRIGHT, TURNED
from monai_anomaly.transforms.load import LoadClinicalImaged
from tests.helpers.dicom_files import make_dataset, save

MASK = np.zeros((30, 40), np.uint8)
MASK[4:9, 25:33] = 255


def lying(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as a camera stores it: Pillow's inverse of the turn."""
    inverse = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    picture = Image.fromarray(upright)
    exif = picture.getexif()
    exif[274] = inverse
    picture.info["exif"] = exif.tobytes()
    return np.asarray(ImageOps.exif_transpose(picture))


def write(path: Path, upright: np.ndarray, orientation: int, told: bool = True) -> str:
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(lying(upright, orientation))
    if path.suffix == ".tif":
        picture.save(path, tiffinfo={274: orientation} if told else None)
    elif told:
        picture.save(path, exif=exif, quality=95)
    else:
        picture.save(path)
    return str(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_mask_is_turned_by_its_own_word_or_drawn_upright(tmp_path: Path, suffix: str, orientation: int):
    image = write(tmp_path / f"i{suffix}", MASK, orientation)
    for other in {orientation, 1, 6}:
        mask = write(tmp_path / f"m{other}{suffix}", MASK, other)
        item = LoadClinicalImaged()({"image": image, "mask": mask})
        np.testing.assert_array_equal(item["image"][0].numpy() > 0.5, MASK > 0)
        np.testing.assert_array_equal(item["mask"][0].numpy(), MASK > 0)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_that_fits_the_image_as_stored_only_is_turned_as_it_is(tmp_path: Path, orientation: int):
    image = write(tmp_path / "i.jpg", MASK, orientation)
    mask = write(tmp_path / "m.png", MASK, orientation, told=False)
    item = LoadClinicalImaged()({"image": image, "mask": mask})
    np.testing.assert_array_equal(item["mask"][0].numpy(), MASK > 0)
    assert item["warnings"] == TURNED


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_mask_that_would_fit_either_way_is_taken_as_upright_and_this_is_said(tmp_path: Path, orientation: int):
    image = write(tmp_path / "i.jpg", MASK, orientation)
    mask = write(tmp_path / "m.png", MASK, 1, told=False)
    item = LoadClinicalImaged()({"image": image, "mask": mask})
    np.testing.assert_array_equal(item["mask"][0].numpy(), MASK > 0)
    assert item["warnings"] == TAKEN_UPRIGHT


def test_a_mask_of_another_size_fits_no_turn(tmp_path: Path):
    image = write(tmp_path / "i.jpg", MASK, 6)
    mask = write(tmp_path / "m.png", MASK[:29], 1, told=False)
    with pytest.raises(ImageReadError, match="mask_shape"):
        LoadClinicalImaged()({"image": image, "mask": mask})


def test_a_mask_for_each_frame_of_a_cine_or_one_for_the_frame_that_is_listed(tmp_path: Path):
    frames = np.stack([np.roll(MASK, shift, axis=1) for shift in (0, 3, 6)])
    tifffile.imwrite(tmp_path / "i.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "m.tif", frames, photometric="minisblack")
    save(tmp_path / "m.dcm", make_dataset(frames))
    nib.save(nib.Nifti1Image(frames.transpose(2, 1, 0), np.eye(4)), tmp_path / "m.nii")
    load = LoadClinicalImaged(frames_axis=2)
    for frame in range(3):
        for name in ("m.tif", "m.dcm", "m.nii"):
            item = load({"image": str(tmp_path / "i.tif"), "mask": str(tmp_path / name), "frame": frame})
            np.testing.assert_array_equal(item["mask"][0].numpy(), frames[frame] > 0)
    Image.fromarray(frames[2]).save(tmp_path / "one.png")
    item = load({"image": str(tmp_path / "i.tif"), "mask": str(tmp_path / "one.png"), "frame": 2})
    np.testing.assert_array_equal(item["mask"][0].numpy(), frames[2] > 0)
    tifffile.imwrite(tmp_path / "two.tif", frames[:2], photometric="minisblack")
    with pytest.raises(ImageReadError, match="mask_shape: the mask has 2 frames, its image 3"):
        load({"image": str(tmp_path / "i.tif"), "mask": str(tmp_path / "two.tif"), "frame": 1})


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "u4", "f4"])
@pytest.mark.parametrize("value", [1, 3])
def test_labels_of_every_type_are_marks(tmp_path: Path, dtype: str, value: int):
    labels = (MASK // 255 * value).astype(dtype)
    tifffile.imwrite(tmp_path / "m.tif", labels, photometric="minisblack")
    np.testing.assert_array_equal(ClinicalImageReader().read_mask(tmp_path / "m.tif"), MASK > 0)


@pytest.mark.parametrize("dtype", ["u1", "u2", "bool"])
def test_white_is_marked_where_it_is_stored_as_zero(tmp_path: Path, dtype: str):
    white = 1 if dtype == "bool" else np.iinfo(dtype).max
    stored = np.where(MASK > 0, 0, white).astype(dtype)
    tifffile.imwrite(tmp_path / "m.tif", stored, photometric="miniswhite")
    np.testing.assert_array_equal(ClinicalImageReader().read_mask(tmp_path / "m.tif"), MASK > 0)


def test_ripples_of_a_jpeg_within_a_tiff_are_no_marks(tmp_path: Path):
    Image.fromarray(MASK).save(tmp_path / "m.tif", compression="jpeg", quality=60)
    assert (ClinicalImageReader().read_mask(tmp_path / "m.tif") != (MASK > 0)).mean() < 0.01


def test_damage_to_a_mask_is_damage(tmp_path: Path):
    tifffile.imwrite(tmp_path / "m.tif", MASK, photometric="minisblack", compression="deflate")
    content = bytearray((tmp_path / "m.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        end = file.pages[0].dataoffsets[0] + file.pages[0].databytecounts[0]
    content[end - 6 : end] = bytes(6)
    (tmp_path / "m.tif").write_bytes(bytes(content))
    with pytest.raises(ImageReadError, match=r"decode_failed|truncated"):
        ClinicalImageReader().read_mask(tmp_path / "m.tif")
