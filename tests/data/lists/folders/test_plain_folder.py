# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The folders ``normal`` and ``abnormal`` without splits are dealt out as a table without a split is."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.pool import load_pool
from tests.helpers.data_lists import load, make_list, make_tree, names, refusal
from tests.helpers.dicom_files import make_dataset, save

NORMAL = tuple(f"normal/{n:02d}.png" for n in range(20))
ABNORMAL = tuple(f"abnormal/{n:02d}.png" for n in range(8))
SECTIONS = ("training", "validation", "test")
PICTURE = np.arange(64, dtype=np.uint8).reshape(8, 8)
JANE = "DOE_JANE"


def dicom(path: Path, patient: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, make_dataset(PICTURE, PatientID=patient))


def sections(root: Path, **options) -> list[list[tuple[str, int]]]:
    return [[(item["name"], item["label"]) for item in load(root, section, **options)] for section in SECTIONS]


@pytest.mark.parametrize("options", [{}, {"seed": 5}, {"split_shares": [0.4, 0.2, 0.4]}])
def test_it_is_split_as_a_table_of_the_same_files_is(tmp_path: Path, options):
    tree = make_tree(tmp_path / "tree", *NORMAL, *ABNORMAL)
    table = make_tree(tmp_path / "table", *NORMAL, *ABNORMAL)
    rows = [f"{name},{int(name[0] == 'a')}" for name in (*NORMAL, *ABNORMAL)]
    (table / "labels.csv").write_text("\n".join(["file,label", *rows]))
    of_tree, of_table = sections(tree, **options), sections(table, **options)
    assert [sorted(part) for part in of_tree] == [sorted(part) for part in of_table]
    assert sorted(name for part in of_tree for name, _ in part) == sorted((*NORMAL, *ABNORMAL))
    assert all(label == int(name[0] == "a") for part in of_tree for name, label in part)
    assert {label for _, label in of_tree[0]} == {0} and {label for _, label in of_tree[2]} == {0, 1}


def test_how_it_is_split_is_said(tmp_path: Path, caplog):
    make_tree(tmp_path, *NORMAL, *ABNORMAL)
    with caplog.at_level(logging.WARNING):
        load(tmp_path, "training", seed=3)
        load(tmp_path, "validation", seed=3)  # the two are one training's
    assert [record.getMessage() for record in caplog.records] == [
        "No split: patients are split by seed 3 into shares of 0.6, 0.1, 0.3: training 12 patients (0 with abnormal "
        "images), 12 images; validation 4 patients (2 with abnormal images), 4 images; test 12 patients (6 with "
        "abnormal images), 12 images."
    ]


def test_synonyms_and_case(tmp_path: Path):
    make_tree(tmp_path, *(f"Benign/{n}.png" for n in range(5)), "Cancerous/x.png")
    training, validation, test = sections(tmp_path)
    assert [len(part) for part in (training, validation)] == [3, 1] and ("Cancerous/x.png", 1) in test


def test_a_folder_below_a_class_is_a_patient_who_stays_whole(tmp_path: Path):
    of_patients = [f"normal/p{p}/{n}.png" for p in range(9) for n in range(3)]
    make_tree(tmp_path, *of_patients, "abnormal/p3/x.png", "abnormal/q/y.png", "abnormal/q/z.png", "abnormal/r/z.png")
    for seed in range(4):
        parts = [load(tmp_path, section, seed=seed) for section in SECTIONS]
        groups = [{item["group"] for item in part} for part in parts]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 11
        assert "p3" not in groups[0] and {item["label"] for item in parts[0]} == {0}


def test_a_header_says_who_the_patient_is(tmp_path: Path):
    for number in range(12):
        dicom(tmp_path / f"normal/a{number}.dcm", f"patient {number // 3}")
        dicom(tmp_path / f"abnormal/b{number}.dcm", f"sick {number // 4}")
    dicom(tmp_path / "abnormal/c.dcm", "patient 0")
    parts = [load(tmp_path, section) for section in SECTIONS]
    groups = [{item["group"] for item in part} for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 7
    of_first = {item["group"] for part in parts for item in part if item["name"] in ("normal/a0.dcm", "abnormal/c.dcm")}
    assert len(of_first) == 1 and not of_first & groups[0]


def test_normals_alone_train_and_an_evaluation_says_what_is_missing(tmp_path: Path):
    make_tree(tmp_path, *NORMAL)
    training, validation, test = sections(tmp_path)
    assert [len(part) for part in (training, validation, test)] == [12, 2, 6]
    assert "add abnormal test images (such as a folder test/abnormal; without splits: abnormal)" in refusal(
        tmp_path, "test", require_both=True
    )
    make_tree(tmp_path, *ABNORMAL)  # nobody who was trained on is tested with
    assert sections(tmp_path)[0] == training


def test_abnormal_images_alone_train_nothing(tmp_path: Path):
    make_tree(tmp_path, *ABNORMAL)
    assert "no normal training images" in refusal(tmp_path, "training")
    assert "no normal images in training or validation" in refusal(tmp_path, "normals")
    assert "no normal images" in refusal(tmp_path, "test", require_both=True)


def test_normals_of_a_site_are_those_of_training_and_validation(tmp_path: Path):
    make_tree(tmp_path, *NORMAL, *ABNORMAL)
    training, validation, _ = sections(tmp_path)
    expected = sorted(name for name, label in (*training, *validation) if label == 0)
    assert sorted(names(load(tmp_path, "normals"))) == expected and len(expected) == 14


def test_inference_scores_everything(tmp_path: Path):
    make_tree(tmp_path, *NORMAL, *ABNORMAL, "else/x.png", "normal/train/y.png")
    items = load(tmp_path, "inference")
    assert set(names(items)) == {*NORMAL, *ABNORMAL, "else/x.png", "normal/train/y.png"}
    assert {item["label"] for item in items} == {-1}


def test_texts_and_hidden_files_are_no_images(tmp_path: Path):
    make_tree(tmp_path, *NORMAL, *ABNORMAL, "normal/notes.txt", "normal/.hidden.png", ".cache/x.png", "readme.md")
    assert sum(map(len, sections(tmp_path))) == 28


@pytest.mark.parametrize("section", [*SECTIONS, "normals", "unlabeled"])
@pytest.mark.parametrize("split", ["train", "Test", "val"])
def test_classes_beside_splits_are_refused(tmp_path: Path, section, split):
    make_tree(tmp_path, f"{split}/normal/a.png", "Abnormal/b.png", f"{JANE}/c.png")
    message = refusal(tmp_path, section)
    assert message.startswith(f"dataset_dir has classes (Abnormal) beside splits ({split}), and nothing says")
    assert JANE not in message


@pytest.mark.parametrize("below", ["train", "Val", "unlabeled"])
def test_splits_below_classes_are_refused(tmp_path: Path, below):
    make_tree(tmp_path, f"normal/{below}/a.png", "abnormal/b.png")
    assert f"normal has the folder {below}, which would be a patient" in refusal(tmp_path, "training")


def test_one_folder_of_all_images_is_no_patient(tmp_path: Path):
    make_tree(tmp_path, *(f"normal/images/{n}.png" for n in range(4)), "abnormal/images/x.png")
    assert refusal(tmp_path, "training").startswith("all 4 normal images are of patients who have abnormal images, too")


@pytest.mark.parametrize("files", [("abnormal/a.png",), ("normal/notes.txt", "abnormal/a.png")])
def test_an_empty_class_folder_is_named(tmp_path: Path, files):
    (tmp_path / "normal").mkdir()
    make_tree(tmp_path, *files)
    assert refusal(tmp_path, "training") == "normal holds no images; put the normal images there."


def test_two_folders_of_one_meaning_are_refused(tmp_path: Path):
    make_tree(tmp_path, "normal/a.png", "benign/b.png", "malignant/c.png")
    message = refusal(tmp_path, "training")
    assert message.startswith("benign and normal mean the same") and "--abnormal_folders" in message


def test_another_folder_is_refused_and_named_by_its_words_only(tmp_path: Path):
    make_tree(tmp_path, *NORMAL, "pneumonia/a.png", f"{JANE}/c.png")
    message = refusal(tmp_path, "training")
    assert message.startswith("2 of the 3 folders in dataset_dir are neither a normal nor") and "pneumonia" in message
    assert "another name (1 file)" in message and JANE not in message
    assert f"'{JANE}', 'pneumonia'" in refusal(tmp_path, "training", source_names=True)


def test_a_list_wins_over_class_folders(tmp_path: Path):
    make_tree(tmp_path, *NORMAL, *ABNORMAL)
    make_list(tmp_path, test=[{"image": NORMAL[0], "label": 0}])
    assert names(load(tmp_path, "test")) == [NORMAL[0]]


def test_the_pool_is_beside_the_classes_and_has_no_patient_of_validation_or_test(tmp_path: Path, caplog):
    for number in range(10):
        dicom(tmp_path / f"normal/{number}.dcm", f"patient {number}")
        dicom(tmp_path / f"unlabeled/{number}.dcm", f"patient {number}")
    dicom(tmp_path / "abnormal/x.dcm", "sick")
    dicom(tmp_path / "unlabeled/x.dcm", "sick")
    dicom(tmp_path / "unlabeled/y.dcm", "other")
    options = {"split_shares": (0.5, 0.2, 0.3), "seed": 2}
    before = sections(tmp_path, **options)
    trained_on = {item["group"] for item in load(tmp_path, "training", **options)}
    with caplog.at_level(logging.WARNING):
        pool = load(tmp_path, "unlabeled", **options)
    assert "6 of 12 images of the pool are left out: their patients are in validation or test." in caplog.text
    assert {item["label"] for item in pool} == {-1} and len(pool) == 6
    assert {item["group"] for item in pool} > trained_on
    drawn = load_pool(tmp_path, split_seed=2, split_shares=(0.5, 0.2, 0.3), source_names=True)
    assert drawn == pool and sections(tmp_path, **options) == before


def test_no_pool_is_no_error(tmp_path: Path):
    make_tree(tmp_path, *NORMAL)
    assert load(tmp_path, "unlabeled") == []


def test_no_message_and_no_log_names_a_patient(tmp_path: Path, caplog):
    make_tree(tmp_path, *(f"normal/{JANE}{n}/{JANE}.png" for n in range(9)), f"abnormal/{JANE}/a.png")
    make_tree(tmp_path, f"normal/{JANE}.txt", f"unlabeled/{JANE}/a.png")
    with caplog.at_level(logging.DEBUG):
        for section in (*SECTIONS, "unlabeled"):
            load_datalist(tmp_path, section)
    assert "split by seed" in caplog.text and JANE not in caplog.text
