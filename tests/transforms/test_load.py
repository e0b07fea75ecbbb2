# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from pydicom import examples

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.picture_facts import PICTURE_FACTS, PICTURE_ORIGIN, PICTURE_PLACE
from monai_anomaly.transforms.load import LoadClinicalImage, LoadClinicalImaged
from tests.helpers.dicom_files import make_dataset, make_region, save

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
MASK = np.zeros((40, 56), np.uint8)
MASK[10:20, 15:30] = 255


def test_plain_tensor_of_the_reader(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image = LoadClinicalImage()(tmp_path / "a.png")
    assert type(image) is torch.Tensor and not isinstance(image, MetaTensor)
    np.testing.assert_array_equal(image[0].numpy(), PICTURE.astype(np.float32) / 255)


def test_frame_of_the_item_is_read():
    path = examples.get_path("ybr_color")
    reader = ClinicalImageReader()
    for frame in (0, 29):
        item = LoadClinicalImaged()({"image": path, "frame": frame, "label": 0})
        np.testing.assert_array_equal(item["image"].numpy(), reader.get_data(reader.read(path, frame))[0])
    assert LoadClinicalImaged()({"image": path})["frame"] == 15


def test_item_is_not_changed_in_place(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    item = {"image": str(tmp_path / "a.png"), "label": 0}
    loaded = LoadClinicalImaged(meta_key="meta")(item)
    assert item == {"image": str(tmp_path / "a.png"), "label": 0}
    more = {"warnings", "frame", "meta", *PICTURE_FACTS, *PICTURE_PLACE, *PICTURE_ORIGIN}
    assert set(loaded) == {"image", "label", *more}
    assert str(tmp_path) not in str({k: v for k, v in loaded.items() if k != "image"})


def test_warnings_travel_with_the_item():
    assert "cropped or rescaled" in LoadClinicalImaged()({"image": examples.get_path("palette_color")})["warnings"]


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "0/1"])
def test_mask_is_cut_like_its_image(tmp_path: Path, mode: str):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((12, 5, 49, 34))]))
    mask = Image.fromarray(MASK // 255) if mode == "0/1" else Image.fromarray(MASK).convert(mode)
    mask.save(tmp_path / "m.png")
    item = LoadClinicalImaged()({"image": path, "mask": str(tmp_path / "m.png")})
    assert item["image"].shape == item["mask"].shape == (1, 30, 38)
    np.testing.assert_array_equal(item["mask"][0].numpy(), MASK[5:35, 12:50] / 255)
    whole = LoadClinicalImaged(crop_region=False)({"image": path, "mask": str(tmp_path / "m.png")})
    np.testing.assert_array_equal(whole["mask"][0].numpy(), MASK / 255)


def test_an_item_says_where_its_picture_was(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((12, 5, 49, 34))]))
    item = LoadClinicalImaged()({"image": path})
    assert (item["source_shape"], item["box"]) == ((40, 56), (12, 5, 50, 35))
    whole = LoadClinicalImaged(crop_region=False)({"image": path})
    assert (whole["source_shape"], whole["box"]) == ((40, 56), (0, 0, 56, 40))
    nothing = LoadClinicalImaged(allow_missing_keys=True)({})
    assert {key: nothing[key] for key in PICTURE_PLACE} == PICTURE_PLACE


def test_mask_of_the_cut_size_is_taken_as_it_is(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((12, 5, 49, 34))]))
    Image.fromarray(MASK[5:35, 12:50]).save(tmp_path / "m.png")
    item = LoadClinicalImaged()({"image": path, "mask": str(tmp_path / "m.png")})
    np.testing.assert_array_equal(item["mask"][0].numpy(), MASK[5:35, 12:50] / 255)


def test_jpeg_mask_ignores_its_ripples(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    Image.fromarray(MASK).save(tmp_path / "m.jpg", quality=60)
    item = LoadClinicalImaged()({"image": str(tmp_path / "a.png"), "mask": str(tmp_path / "m.jpg")})
    assert (item["mask"][0].numpy() != MASK / 255).mean() < 0.01


def test_empty_mask_marks_nothing(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    item = LoadClinicalImaged()({"image": str(tmp_path / "a.png"), "mask": ""})
    assert item["mask"].shape == (1, 40, 56) and item["mask"].sum() == 0


def test_mask_faults(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    Image.fromarray(MASK[:30]).save(tmp_path / "m.png")
    (tmp_path / "t.png").write_bytes(b"text")
    for name, code in (("m.png", "mask_shape"), ("none.png", "not_found"), ("t.png", "decode_failed")):
        with pytest.raises(ImageReadError) as caught:
            LoadClinicalImaged()({"image": str(tmp_path / "a.png"), "mask": str(tmp_path / name)})
        assert caught.value.code == code


def test_too_small_counts_after_the_crop(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((12, 5, 49, 34))]))
    assert LoadClinicalImage(min_size=30)(path).shape == (1, 30, 38)
    with pytest.raises(ImageReadError, match="at least 31 x 31"):
        LoadClinicalImage(min_size=31)(path)


def test_missing_key(tmp_path: Path):
    with pytest.raises(KeyError):
        LoadClinicalImaged()({"label": 0})
    assert LoadClinicalImaged(allow_missing_keys=True)({"label": 0})["label"] == 0


def test_what_one_of_several_masks_marks_is_marked(tmp_path: Path):
    Image.fromarray(np.zeros((40, 56), np.uint8)).save(tmp_path / "a.png")
    halves = np.zeros((3, 40, 56), np.uint8)
    halves[0, :20], halves[1, :, :28] = 1, 255  # the third marks nothing
    paths = [str(tmp_path / f"m{number}.png") for number in range(3)]
    for half, path in zip(halves, paths, strict=True):
        Image.fromarray(half).save(path)
    item = LoadClinicalImaged()({"image": str(tmp_path / "a.png"), "mask": paths})
    np.testing.assert_array_equal(item["mask"][0].numpy(), halves.any(axis=0))


@pytest.mark.parametrize("name", ["m.nii.gz", "m.dcm", "m.mha"])
def test_a_mask_may_have_another_format_than_its_image(tmp_path: Path, name: str):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    if name.endswith("gz"):
        nib.save(nib.Nifti1Image((MASK.T // 85).astype(np.int16), np.eye(4)), tmp_path / name)  # labels 0 and 3
    elif name.endswith("mha"):
        itk.imwrite(itk.image_from_array((MASK // 85).astype(np.int16)), str(tmp_path / name))
    else:
        save(tmp_path / name, make_dataset(MASK // 255))
    item = LoadClinicalImaged()({"image": str(tmp_path / "a.png"), "mask": str(tmp_path / name)})
    np.testing.assert_array_equal(item["mask"][0].numpy(), MASK / 255)
