# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The section ``unlabeled``: what it holds, whom it may not share, and that nothing else changes by it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists import patients
from monai_anomaly.data.lists.datalist import load_labeled_pool
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash
from tests.helpers.data_lists import load, make_list, make_tree, names, record_listings, refusal
from tests.helpers.dicom_files import make_dataset, save

PICTURE = np.arange(64, dtype=np.uint8).reshape(8, 8)
KEY = b"the key of one hospital"
JANE = "DOE_JANE"
OTHERS = ("training", "validation", "test", "inference", "normals")
TREE = ("train/normal/p1/a.png", "train/normal/b.png", "val/normal/c.png", "test/normal/d.png", "test/abnormal/e.png")


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(KEY)
    monkeypatch.setenv(KEY_VARIABLE, str(path))


def entry(name: str, label: int | None = 0, **more) -> dict:
    return {"image": name, **({} if label is None else {"label": label}), **more}


def lists() -> dict[str, list[dict]]:
    return {
        "training": [entry("a.png", group="p1"), entry("b.png")],
        "validation": [entry("c.png")],
        "test": [entry("d.png"), entry("e.png", 1)],
    }


def table(root: Path, *rows: str) -> Path:
    """Return a table of the files a to e, as in :func:`lists`, and further rows ``file,label,split,group,mask``."""
    known = ["a.png,0,train,p1,", "b.png,0,train,,", "c.png,0,val,,", "d.png,0,test,,", "e.png,1,test,,"]
    make_tree(root, *(row.split(",")[0] for row in (*known, *rows)))
    (root / "labels.csv").write_text("\n".join(["file,label,split,group,mask", *known, *rows]) + "\n")
    return root


def dicom(path: Path, patient: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, make_dataset(PICTURE, PatientID=patient))


# ---- what it holds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["unlabeled", "unlabelled"])
def test_the_pool_of_a_list_has_no_labels_and_no_masks(tmp_path: Path, section):
    pool = [
        entry("u/3.png", 1, mask="u/3_mask.png"),
        entry("u/1.png", None, group="p1", frame=2),
        entry("u/2.png", "normal", frames="all"),
        "u/0.png",
    ]
    make_tree(tmp_path, "u/0.png")
    make_list(tmp_path, **lists(), **{section: pool})
    items = load(tmp_path, "unlabeled")
    assert items[1] == {
        "image": str(tmp_path / "u/1.png"),
        "name": "u/1.png",
        "label": -1,
        "group": "p1",
        "index": 1,
        "frame": 2,
    }
    assert names(items) == ["u/3.png", "u/1.png", "u/2.png", "u/0.png"] and [i["index"] for i in items] == [0, 1, 2, 3]
    assert {item["label"] for item in items} == {-1} and not any("mask" in item for item in items)
    assert items[2]["frames"] == "all"


@pytest.mark.parametrize("label", [2, "tumor", "benign", None, {"a": 1}, 0.5])
def test_a_label_of_the_pool_may_be_anything_while_nobody_asks(tmp_path: Path, label):
    make_list(tmp_path, **lists(), unlabeled=[entry("u.png", 1), entry("v.png", 0) | {"label": label}])
    assert [item["label"] for item in load(tmp_path, "unlabeled")] == [-1, -1]
    with pytest.raises(DataListError, match=r"1 of 2 images of the pool have no label 0 or 1 \(unlabeled\[1\] of"):
        load_labeled_pool(tmp_path)


def test_labels_are_given_apart_from_the_items(tmp_path: Path):
    make_list(tmp_path, **lists(), unlabeled=[entry("u.png", 1), entry("v.png", "normal")])
    items, labels = load_labeled_pool(tmp_path, source_names=True)
    assert labels == [1, 0] and items == load(tmp_path, "unlabeled")


def test_the_pool_of_a_table_is_in_no_other_section(tmp_path: Path):
    table(
        tmp_path,
        *(
            "v.png,,UnLabelled,q,",
            "u.png,1,unlabeled,,m.png",
            "w.png,tumor,unlabeled,,",
            "i.png,,,,",
            "x.png,0,train,,",
        ),
    )
    make_tree(tmp_path, "m.png")
    items = load(tmp_path, "unlabeled")
    assert [(i["name"], i["label"], i["group"]) for i in items] == [
        ("u.png", -1, "u.png"),
        ("v.png", -1, "q"),
        ("w.png", -1, "w.png"),
    ]
    assert not any("mask" in item for item in items)
    assert names(load(tmp_path, "inference")) == ["i.png"]
    assert names(load(tmp_path, "training")) == ["a.png", "b.png", "x.png"]
    assert names(load(tmp_path, "test")) == ["d.png", "e.png"]


def test_a_pool_by_study_takes_every_image_of_it(tmp_path: Path):
    for number, (patient, study) in enumerate([("A", 1), ("B", 2), ("B", 2)]):
        dataset = make_dataset(PICTURE, PatientID=patient, StudyInstanceUID=f"1.{study}", SOPInstanceUID=f"2.{number}")
        save(tmp_path / f"IM{number}", dataset)
    (tmp_path / "labels.csv").write_text("study_instance_uid,label,split\n1.1,0,train\n1.2,,unlabeled\n")
    items = load(tmp_path, "unlabeled")
    assert names(items) == ["IM1", "IM2"]
    assert {item["group"] for item in items} == {keyed_hash("B", KEY, "patient")}


@pytest.mark.parametrize("folder", ["unlabeled", "Unlabelled"])
def test_the_pool_of_a_tree_has_patients_with_and_without_class_folders(tmp_path: Path, folder):
    files = {
        "p7/a.png": "p7",
        "p7/more/b.png": "p7",
        "c.png": f"{folder}/c.png",
        "normal/d.png": f"{folder}/normal/d.png",
        "abnormal/p8/e.png": "p8",
        "normal/p8/f.png": "p8",
        "notes.txt": "",
    }
    make_tree(tmp_path, *TREE, *(f"{folder}/{name}" for name in files))
    items = load(tmp_path, "unlabeled")
    assert {item["name"]: item["group"] for item in items} == {
        f"{folder}/{name}": group for name, group in files.items() if group
    }
    assert names(items) == sorted(names(items)) and {item["label"] for item in items} == {-1}
    with pytest.raises(DataListError, match="3 of 6 images of the pool have no label"):
        load_labeled_pool(tmp_path)


def test_class_folders_of_the_pool_label_it(tmp_path: Path):
    make_tree(tmp_path, *TREE, "unlabeled/normal/p/x.png", "unlabeled/abnormal/y.png")
    items, labels = load_labeled_pool(tmp_path, source_names=True)
    assert list(zip(names(items), labels, strict=True)) == [
        ("unlabeled/abnormal/y.png", 1),
        ("unlabeled/normal/p/x.png", 0),
    ]


def test_a_folder_may_hold_a_pool_alone(tmp_path: Path):
    make_tree(tmp_path, "unlabeled/a.png")
    assert names(load(tmp_path, "unlabeled")) == ["unlabeled/a.png"]
    for section in ("training", "normals"):  # above all they are no normals
        assert "neither dataset.json nor" in refusal(tmp_path, section)
        assert refusal(tmp_path, section).endswith("It holds unlabeled (1 file).")


def test_without_a_pool_it_is_empty(tmp_path: Path):
    assert load(make_tree(tmp_path / "tree", *TREE), "unlabeled") == []
    assert load(table(tmp_path / "table"), "unlabeled") == []
    assert load(make_list(tmp_path / "list", **lists()), "unlabeled") == []
    assert load(make_list(tmp_path / "none", **lists(), unlabeled=[]), "unlabeled") == []
    make_tree(tmp_path / "split", "a.png", "b.png", "c.png")
    (tmp_path / "split/labels.csv").write_text("file,label\na.png,0\nb.png,0\nc.png,\n")
    assert load(tmp_path / "split", "unlabeled") == []
    assert "neither dataset.json nor" in refusal(make_tree(tmp_path / "wrong", "pictures/a.png"), "unlabeled")


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_two_pools_are_one_too_many(tmp_path: Path):
    make_list(tmp_path / "list", **lists(), unlabeled=[], unlabelled=[entry("u.png")])
    assert '"unlabeled" and "unlabelled" of dataset.json mean the same' in refusal(tmp_path / "list", "unlabeled")
    make_tree(tmp_path / "tree", *TREE, "unlabeled/a.png", "unlabelled/b.png")
    assert "unlabeled and unlabelled mean the same" in refusal(tmp_path / "tree", "unlabeled")


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ({"a": 1}, '"unlabeled" of dataset.json must be a list'),
        ([entry("u.png"), 3], "unlabeled[1] of dataset.json must be"),
        ([entry("u.png"), entry("./u.png")], "is listed twice, first in unlabeled[0] of dataset.json"),
        ([entry("../u.png")], "image of unlabeled[0] of dataset.json leaves dataset_dir"),
        ([entry("u.png", frame=-1)], "frame of unlabeled[0]"),
        ([entry("./none.png")], "the image of unlabeled[0] of dataset.json (id"),
    ],
)
def test_broken_entries(tmp_path: Path, pool, words):
    make_list(tmp_path, **lists())
    make_tree(tmp_path, "u.png")
    (tmp_path / "dataset.json").write_text(json.dumps({**lists(), "unlabeled": pool}))
    assert words in refusal(tmp_path, "unlabeled")
    assert len(load(tmp_path, "training")) == 2


@pytest.mark.parametrize("section", ["validation", "test"])
@pytest.mark.parametrize("what", ["file", "group"])
def test_the_pool_shares_neither_file_nor_patient_with_what_it_is_evaluated_on(tmp_path: Path, section, what):
    sections = lists()
    sections[section].append(entry("x.png", 1, group=JANE))
    pool = [entry("u.png", 1), entry("x.png", 0) if what == "file" else entry("y.png", 0, group=JANE)]
    make_list(tmp_path, **sections, unlabeled=pool)
    for asked in ("unlabeled", "validation", "test"):
        message = refusal(tmp_path, asked)
        assert f"is in {section} and in unlabeled: {section}[{len(sections[section]) - 1}] of" in message
        assert message.startswith(f"the {what} ") and "unlabeled[1] of dataset.json (id" in message
        assert JANE not in message
    for asked in ("training", "inference", "normals"):
        load(tmp_path, asked)


def test_the_same_for_a_table(tmp_path: Path):
    table(tmp_path, "x.png,0,val,p2,", "u.png,1,unlabeled,p2,")
    for asked in ("unlabeled", "validation", "test"):
        assert "is in validation and in unlabeled: line 7 of labels.csv" in refusal(tmp_path, asked)
    for asked in ("training", "inference", "normals"):
        load(tmp_path, asked)


def test_a_patient_of_training_may_be_in_the_pool_and_a_file_may_not(tmp_path: Path):
    make_list(tmp_path / "a", **lists(), unlabeled=[entry("u.png", 1, group="p1")])
    assert load(tmp_path / "a", "unlabeled")[0]["group"] == load(tmp_path / "a", "training")[0]["group"] == "p1"
    make_list(tmp_path / "b", **lists(), unlabeled=[entry("u.png", 1), entry("b.png")])
    assert "the file is in training and in unlabeled: training[1] of" in refusal(tmp_path / "b", "unlabeled")
    make_tree(tmp_path / "c", *TREE, "unlabeled/p1/u.png")
    assert load(tmp_path / "c", "unlabeled")[0]["group"] == "p1"


def test_frames_of_one_file_are_one_file(tmp_path: Path):
    sections = lists()
    sections["test"].append(entry("x.dcm", frame=0))
    make_list(tmp_path, **sections, unlabeled=[entry("x.dcm", frame=1)])
    assert "the file is in test and in unlabeled" in refusal(tmp_path, "unlabeled")


def test_the_folder_of_a_tree_is_a_patient(tmp_path: Path):
    make_tree(tmp_path, *TREE, "test/abnormal/p9/x.png", "unlabeled/normal/p9/y.png")
    assert "is in test and in unlabeled: entry 2 of test/abnormal, sorted" in refusal(tmp_path, "unlabeled")


# ---- patients of DICOM headers --------------------------------------------------------------------------------------


def make_dicom_list(root: Path, **patients_of: str) -> Path:
    """Return a list whose sections hold one DICOM file for each letter, its patient."""
    sections: dict[str, list[dict]] = {}
    for section, letters in patients_of.items():
        sections[section] = [entry(f"{section}{number}", 0) for number in range(len(letters))]
        for one, patient in zip(sections[section], letters, strict=True):
            dicom(root / one["image"], patient)
    (root / "dataset.json").write_text(json.dumps(sections))
    return root


def test_groups_come_from_headers_and_clash_there(tmp_path: Path):
    make_dicom_list(tmp_path / "a", training="AB", validation="C", test="D", unlabeled="AEE")
    groups = [item["group"] for item in load(tmp_path / "a", "unlabeled")]
    assert groups == [keyed_hash(patient, KEY, "patient") for patient in "AEE"]
    make_dicom_list(tmp_path / "b", training="AB", validation="C", test="D", unlabeled="ED")
    assert "is in test and in unlabeled: test[0]" in refusal(tmp_path / "b", "unlabeled")


def test_a_patient_that_is_the_whole_pool_is_known_from_test(tmp_path: Path):
    make_dicom_list(tmp_path, training="AB", validation="C", test="DE", unlabeled="EE")
    assert "is in test and in unlabeled" in refusal(tmp_path, "unlabeled")
    rows = "training0,0,train\ntraining1,0,train\nvalidation0,0,val\ntest0,0,test\ntest1,0,test\n"
    (tmp_path / "dataset.json").unlink()
    (tmp_path / "labels.csv").write_text(f"file,label,split\n{rows}unlabeled0,,unlabeled\nunlabeled1,,unlabeled\n")
    assert "is in test and in unlabeled" in refusal(tmp_path, "unlabeled")


def test_a_patient_that_all_files_share_tells_nothing(tmp_path: Path):
    make_dicom_list(tmp_path, training="XX", validation="X", test="X", unlabeled="XX")
    assert len({item["group"] for item in load(tmp_path, "unlabeled")}) == 2
    assert len(load(tmp_path, "test")) == 1
    make_dicom_list(tmp_path, training="XX", validation="X", test="X", unlabeled="AB")
    assert len(load(tmp_path, "unlabeled")) == 2  # nor where the pool's files have patients of their own


def test_no_header_of_the_pool_is_read_for_other_sections(tmp_path: Path, monkeypatch):
    make_dicom_list(tmp_path, training="AB", validation="C", test="D", unlabeled="D")
    read: list[str] = []
    names_of = patients.read_names
    monkeypatch.setattr(patients, "read_names", lambda path: read.append(path.name) or names_of(path))
    for section in OTHERS:
        load(tmp_path, section)
    assert "test0" in read and "unlabeled0" not in read
    refusal(tmp_path, "unlabeled")
    assert "unlabeled0" in read


# ---- patients that are held out for validation ----------------------------------------------------------------------


def test_pool_images_of_held_out_patients_are_left_out_and_said(tmp_path: Path, caplog):
    make_tree(tmp_path, *(f"train/normal/p{n}/a.png" for n in range(20)), "test/normal/x.png")
    make_tree(tmp_path, *(f"unlabeled/p{n}/{k}.png" for n in range(30) for k in "bc"))
    for seed in (0, 1):
        held = {item["group"] for item in load(tmp_path, "validation", seed=seed)}
        with caplog.at_level(logging.WARNING):
            pool = load(tmp_path, "unlabeled", seed=seed)
        groups = {item["group"] for item in pool}
        assert len(held) == 2 and groups == {f"p{n}" for n in range(30)} - held and len(pool) == 56
        assert "4 of 60 images of the pool are left out" in caplog.text
    make_tree(tmp_path, "val/normal/v.png")
    assert len(load(tmp_path, "unlabeled")) == 60


def test_a_single_training_group_holds_nothing_out(tmp_path: Path):
    make_tree(tmp_path, "train/normal/p1/a.png", "unlabeled/p1/b.png")
    assert names(load(tmp_path, "unlabeled")) == ["unlabeled/p1/b.png"]


# ---- nothing else changes -------------------------------------------------------------------------------------------


def everything(root: Path) -> dict[str, list[dict]]:
    return {section: load(root, section) for section in OTHERS}


def test_other_sections_of_a_list_and_a_table_are_those_without_a_pool(tmp_path: Path):
    pool = [entry("u.png", 1, group="p1", mask="m.png"), entry("v.png")]
    before = everything(make_list(tmp_path / "list", **lists()))
    make_list(tmp_path / "list", **lists(), unlabeled=pool)
    assert everything(tmp_path / "list") == before
    rows = "u.png,1,unlabeled,p1,m.png", "v.png,,unlabeled,,"
    before = everything(table(tmp_path / "table"))
    make_tree(tmp_path / "table", "m.png")
    assert everything(table(tmp_path / "table", *rows)) == before


def test_the_folder_of_the_pool_is_not_listed_for_other_sections(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, *TREE)
    before = everything(tmp_path)
    make_tree(tmp_path, "unlabeled/p1/x.png", "unlabeled/weird/y.png", "unlabeled/test/normal/z.png")
    listed = record_listings(monkeypatch)
    assert everything(tmp_path) == before
    assert not [place for place in listed if "unlabeled" in place]
    load(tmp_path, "unlabeled")
    assert str(tmp_path / "unlabeled/p1") in listed
