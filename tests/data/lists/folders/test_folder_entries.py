# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import os

import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from tests.helpers.data_lists import load, make_tree, names, refusal

HELPERS = "masks and other helper files of images"
OF_SYSTEM = "files and folders of the system (hidden ones, thumbnails, bins)"


def busi(root):
    """The layout of a public data set: masks beside the images."""
    kinds = ("train/normal/train", "test/normal/test", "test/malignant/malignant")
    files = [f"{kind} ({number}){end}.png" for kind in kinds for number in (1, 2) for end in ("", "_mask")]
    return make_tree(root, *files, "test/malignant/malignant (1)_mask_1.png")


def test_masks_are_no_training_images_and_are_counted(tmp_path, caplog):
    items = load(busi(tmp_path), "training")
    assert len(items) == 1 and "mask" not in names(items)[0]  # one of the two is held out
    assert items.left_out == {HELPERS: 1}
    assert f"2 {HELPERS} were skipped in train/normal." in caplog.text


def test_masks_are_those_of_the_test_images(tmp_path):
    items = load(busi(tmp_path), "test")
    assert [(item["name"], item["label"]) for item in items] == [
        ("test/normal/test (1).png", 0),
        ("test/normal/test (2).png", 0),
        ("test/malignant/malignant (1).png", 1),
        ("test/malignant/malignant (2).png", 1),
    ]
    place = tmp_path / "test" / "malignant"
    assert [item["mask"] for item in items] == [
        "",
        "",
        [str(place / "malignant (1)_mask.png"), str(place / "malignant (1)_mask_1.png")],
        str(place / "malignant (2)_mask.png"),
    ]
    assert items.left_out == {HELPERS: 5}


def test_masks_of_a_part_of_the_abnormal_images_are_not_used(tmp_path, caplog):
    (busi(tmp_path) / "test/malignant/malignant (2)_mask.png").unlink()
    items = load(tmp_path, "test")
    assert not any("mask" in item for item in items) and len(items) == 4
    assert "1 of 2 abnormal images of test have a mask beside them: masks are not used" in caplog.text


def test_class_folders_without_splits_have_masks_in_their_test_section(tmp_path):
    make_tree(
        tmp_path, *(f"{kind}/{i}{end}.png" for kind in ("normal", "abnormal") for i in range(9) for end in ("", "_gt"))
    )
    listed = {section: load(tmp_path, section) for section in ("training", "validation", "test")}
    assert sum(map(len, listed.values())) == 18
    assert sum(items.left_out[HELPERS] for items in listed.values()) == 18
    assert "mask" not in listed["training"][0]
    assert all(bool(item["mask"]) == item["label"] for item in listed["test"])


@pytest.mark.parametrize("section", ["inference", "normals"])
def test_a_plain_folder_has_images_alone(tmp_path, section):
    make_tree(tmp_path, "a.png", "a_mask.png", "p/images/b.dcm", "p/masks/b.png", "@eaDir/a.png/SYNOFILE_THUMB_M.png")
    items = load(tmp_path, section)
    assert names(items) == ["a.png", "p/images/b.dcm"]
    assert items.left_out == {HELPERS: 2, OF_SYSTEM: 1}


def test_one_file_is_what_was_asked_for(tmp_path):
    make_tree(tmp_path, "a.png", "a_mask.png")
    assert names(load(tmp_path / "a_mask.png", "inference")) == ["a_mask.png"]


def test_the_pool_has_images_alone(tmp_path):
    make_tree(tmp_path, "train/normal/x.png", "val/normal/v.png", "unlabeled/p/a.png", "unlabeled/p/a_mask.png")
    items = load(tmp_path, "unlabeled")
    assert names(items) == ["unlabeled/p/a.png"] and items.left_out == {HELPERS: 1} and "mask" not in items[0]


def test_masks_without_their_images_are_images_and_that_is_said(tmp_path, caplog):
    make_tree(tmp_path, "train/normal/a_mask.png", "train/normal/b.png", "val/normal/v.png")
    assert len(load(tmp_path, "training")) == 2
    assert "1 of 2 images in train/normal are called as masks are" in caplog.text


MVTEC = ("train/good/x.png", "test/good/a.png", "test/crack/b.png", "test/crack/c.png")


def test_folders_of_masks_are_not_among_all_that_stand_beside_the_normal_one(tmp_path):
    make_tree(tmp_path, *MVTEC, "test/ground_truth/crack/b.png", "test/ground_truth/crack/c.png")
    items = load(tmp_path, "test", abnormal_folders="*")
    assert names(items) == ["test/good/a.png", "test/crack/b.png", "test/crack/c.png"]
    named = load(tmp_path, "test", abnormal_folders=["crack", "ground_truth"])
    assert len(named) == 5 and not any("mask" in item for item in named)  # the user's word


@pytest.mark.parametrize(
    "place", ["ground_truth/{}/{}_mask.png", "test/masks/{}/{}.png", "masks/test/{}/{}.png", "GT/{}/{}_gt.nii.gz"]
)
def test_masks_in_a_folder_of_their_own_are_those_of_the_test_images(tmp_path, place):
    masks = {name: place.format("crack", name) for name in "bc"}
    make_tree(tmp_path, *MVTEC, *masks.values(), place.format("other", "b"))
    items = load(tmp_path, "test", abnormal_folders="crack" if place.startswith("test") else "*")
    assert [item["mask"] for item in items] == ["", *(str(tmp_path / mask) for mask in masks.values())]
    assert items.left_out == {HELPERS: 2}


def test_a_mask_that_fits_two_images_is_nobodys(tmp_path, caplog):
    make_tree(tmp_path, "train/normal/x.png", "test/normal/n.png", "test/abnormal/a.png", "test/cyst/a.png")
    make_tree(tmp_path, "test/masks/a.png")
    assert not any("mask" in item for item in load(tmp_path, "test", abnormal_folders="cyst"))
    make_tree(tmp_path, "test/masks/cyst/a.png")
    load(tmp_path, "test", abnormal_folders="cyst")
    assert "1 of 2 abnormal images of test have a mask beside them" in caplog.text
    make_tree(tmp_path, "test/masks/Abnormal/A_mask.png")
    masks = [item["mask"] for item in load(tmp_path, "test", abnormal_folders="cyst")]
    place = tmp_path / "test" / "masks"
    assert masks == ["", str(place / "cyst/a.png"), str(place / "Abnormal/A_mask.png")]


def test_images_in_a_folder_called_so_are_no_patient(tmp_path):
    images = [
        f"train/normal/{place}{i}.png" for i, place in enumerate(("images/", "images/p/", "p/images/", "Normal/"))
    ]
    make_tree(tmp_path, *images, *(image.replace("images", "masks") for image in images[:3]), "val/normal/v.png")
    assert [item["group"] for item in load(tmp_path, "training")] == [images[3], images[0], "p", "p"]


def test_abnormal_images_do_not_hide_in_the_normal_ones(tmp_path):
    make_tree(tmp_path, "train/normal/a.png", "train/normal/Malignant/b.png")
    assert refusal(tmp_path, "training") == (
        "train/normal has the folder Malignant, whose images would count as normal; move it beside normal."
    )


def test_what_a_network_drive_keeps_is_passed_over_and_counted(tmp_path):
    pictures = [f"train/normal/us{i}.png" for i in range(6)]
    thumbs = [f"train/normal/@eaDir/us{i}.png/{name}" for i in range(6) for name in ("SYNOFILE_THUMB_M.png", "x")]
    others = [
        f"train/normal/{name}" for name in ("#recycle/a.png", "Thumbs.db", "desktop.ini", ".DS_Store", "._us0.png")
    ]
    make_tree(tmp_path, *pictures, *thumbs, *others, "@eaDir/x.png", "train/$RECYCLE.BIN/y.png", "val/normal/v.png")
    (tmp_path / "train/normal/empty.png").write_bytes(b"")

    items = load(tmp_path, "training")

    assert names(items) == pictures
    assert items.left_out == {OF_SYSTEM: 8, "empty files": 1}
    assert load(tmp_path, "validation").left_out == {}


def test_an_empty_file_is_a_record_of_an_inference(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    assert names(load(tmp_path, "inference")) == ["empty.png"]


def test_a_bin_that_may_not_be_listed_stops_nothing(tmp_path):
    make_tree(tmp_path, "train/normal/a.png", "train/normal/#recycle/b.png", "val/normal/v.png")
    os.chmod(tmp_path / "train/normal/#recycle", 0)
    assert len(load_datalist(tmp_path, "training")) == 1


def test_names_are_not_repeated(tmp_path, caplog):
    make_tree(tmp_path, *(f"train/normal/Jane Doe/{name}.png" for name in ("Jane", "Jane_mask", "._Jane")))
    with caplog.at_level(logging.DEBUG):
        load_datalist(tmp_path, "training")
    assert "Jane" not in caplog.text
