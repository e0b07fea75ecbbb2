# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.lists.folders.helper_files import Helper, find_helpers, masks_among


def helped(*paths: str) -> dict[str, str]:
    return {helper.path: helper.image for helper in find_helpers(paths)}


@pytest.mark.parametrize(
    "helper",
    [
        *("x (1)_mask.png", "x (1)_mask_1.png", "x (1)_mask1.png", "x (1)_mask (2).png", "x (1)_MASK.PNG"),
        *("x (1)-mask.bmp", "x (1) mask.tif", "x (1).mask.png", "x (1)Mask.png", "x (1)(mask).jpg", "x (1)_masks"),
        *("x (1).png.mask.png", "mask_x (1).png", "GT-x (1).png", "x (1)_lesion_mask.png", "x (1)_left_mask.png"),
        *("x (1)_gt.nii.gz", "x (1)_seg.nrrd", "x (1)_segmentation.dcm", "x (1)_label.mha", "x (1)_labels.png"),
        *("x (1)_groundtruth.png", "x (1)_ground_truth.png", "x (1)_Ground Truth.png", "x (1)_labelmap.nii"),
        *("x (1)_superpixels.png", "x (1)_annotation.png", "x (1)_overlay.jpg", "x (1)_mask_superpixels.png"),
        *(
            "masks/x (1).png",
            "Mask/x (1).tif",
            "GT/x (1)_gt.png",
            "ground truth/X (1).png",
            "lesion_masks/x (1)_mask.png",
        ),
    ],
)
def test_a_helper_belongs_to_the_image_beside_it(helper):
    assert helped("x (1).png", "y.png", helper) == {helper: "x (1).png"}


@pytest.mark.parametrize(
    "image",
    [
        *("other_mask.png", "mask.png", "masked.png", "bigt.png", "x (1)gt.png", "hand_thumb.png", "x (1)_2.png"),
        *("x (1)_maskx.png", "unmasks/x (1).png", "patient label/x (1).png", "masks/z.png", "p/x (1)_mask.png"),
    ],
)
def test_what_belongs_to_no_image_is_one(image):
    assert helped("x (1).png", "big.png", "hand.png", image) == {}


def test_names_are_compared_without_case_and_form_of_accents():
    assert helped("e\u0301tude.png", "\u00c9TUDE_mask.png") == {"\u00c9TUDE_mask.png": "e\u0301tude.png"}


def test_a_dicom_file_without_an_ending_and_with_dots_has_helpers():
    files = ("1.2.840.1", "1.2.840.2", "1.2.840.1_mask.png")
    assert helped(*files) == {"1.2.840.1_mask.png": "1.2.840.1"}


def test_folders_of_masks_stand_beside_images_or_below_them_at_any_depth():
    files = ("p/images/a/1.png", "p/masks/a/1.png", "q/1.png", "q/masks/1.png", "r/masks/1.png")
    assert helped(*files) == {"p/masks/a/1.png": "p/images/a/1.png", "q/masks/1.png": "q/1.png"}


def test_of_two_images_of_one_name_the_one_with_the_helpers_ending_is_meant():
    assert helped("a.dcm", "a.png", "a_mask.png", "a_gt.dcm") == {"a_mask.png": "a.png", "a_gt.dcm": "a.dcm"}


def test_the_masks_of_an_image_are_of_one_word():
    helpers = [Helper(f"a_{word}.png", "a.png", word) for word in ("gt", "superpixel", "mask", "mask")]
    assert masks_among(helpers) == ["a_mask.png", "a_mask.png"]
    assert masks_among(helpers[:2]) == ["a_gt.png"] and masks_among(helpers[1:2]) == []
