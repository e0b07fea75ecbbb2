# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.identity import KEY_VARIABLE
from tests.helpers.data_lists import load, make_list, make_tree, names, refusal


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    use_key(tmp_path_factory.mktemp("key") / "a", monkeypatch)


def use_key(path: Path, monkeypatch) -> bytes:
    """Make the file the site's key; another path is another key."""
    path.write_bytes(f"a secret of {path}".encode())
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path.read_bytes()


TREE = (
    "train/normal/b.png",
    "train/normal/a.png",
    "train/abnormal/x.png",
    "val/normal/c.png",
    "test/normal/d.png",
    "test/abnormal/e.png",
)


def test_tree(tmp_path: Path):
    make_tree(tmp_path, *TREE, "train/normal/.hidden", "train/normal/notes.txt")
    training = load(tmp_path, "training")
    assert names(training) == ["train/normal/a.png", "train/normal/b.png"]
    assert training[1] == {
        "image": str(tmp_path / "train/normal/b.png"),
        "name": "train/normal/b.png",
        "label": 0,
        "group": "train/normal/b.png",
        "index": 1,
    }
    assert names(load(tmp_path, "validation")) == ["val/normal/c.png"]
    test = load(tmp_path, "test", require_both=True)
    assert [(item["name"], item["label"]) for item in test] == [("test/normal/d.png", 0), ("test/abnormal/e.png", 1)]
    assert load(tmp_path, "inference") == test


@pytest.mark.parametrize("classes", [("Benign", "Cancerous"), ("good", "anomaly"), ("HEALTHY", "Malignant")])
def test_tree_synonyms(tmp_path: Path, classes):
    normal, abnormal = classes
    make_tree(tmp_path, f"Train/{normal}/a.png", f"Test/{normal}/b.png", f"Test/{abnormal}/c.png")
    assert names(load(tmp_path, "training")) == [f"Train/{normal}/a.png"]
    assert [item["label"] for item in load(tmp_path, "test")] == [0, 1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["train/normal/a.png", "train/benign/b.png"], "mean the same"),
        (["train/normal/a.png", "test/benign/b.png"], "differently"),
        (["train/normal/a.png", "test/normal/b.png", "test/weird/c.png"], "neither a normal nor an abnormal"),
        (["train/a.png"], "no folder of normal images"),
        (["train/abnormal/a.png"], "no normal training images"),
        (["pictures/a.png"], "neither dataset.json nor"),
        (
            ["train/normal/p1/a.png", "test/normal/p1/b.png"],
            "is in training and in test: entry 1 of train/normal, sorted",
        ),
    ],
)
def test_tree_refusals(tmp_path: Path, files, words):
    assert words in refusal(make_tree(tmp_path, *files), "training")


def test_folder_is_missing(tmp_path: Path):
    assert "existing folder" in refusal(tmp_path / "none", "training")


def test_folders_below_a_class_are_patients(tmp_path: Path):
    make_tree(tmp_path, "train/normal/p1/a.dcm", "train/normal/p1/b.dcm", "train/normal/c.dcm")
    groups = {item["name"]: item["group"] for item in load(tmp_path, "training")}
    groups |= {item["name"]: item["group"] for item in load(tmp_path, "validation")}
    assert groups == {
        "train/normal/p1/a.dcm": "p1",
        "train/normal/p1/b.dcm": "p1",
        "train/normal/c.dcm": "train/normal/c.dcm",
    }


def test_validation_is_held_out_by_group_and_said(tmp_path: Path, caplog):
    make_tree(tmp_path, *(f"train/normal/p{n}/{k}.png" for n in range(30) for k in range(2)))
    with caplog.at_level(logging.WARNING):
        training, validation = (load(tmp_path, section) for section in ("training", "validation"))
    assert len(validation) == 6 and len(training) == 54
    assert not {item["group"] for item in training} & {item["group"] for item in validation}
    assert "3 of 30 training groups are held out" in caplog.text
    assert names(load(tmp_path, "validation")) == names(validation)
    assert names(load(tmp_path, "validation", seed=1)) != names(validation)
    assert [item["index"] for item in training] == list(range(54))


def test_one_training_group_cannot_be_split(tmp_path: Path):
    make_tree(tmp_path, "train/normal/p1/a.png", "train/normal/p1/b.png")
    assert len(load(tmp_path, "training")) == 2
    assert "held out" in refusal(tmp_path, "validation")


def test_json_list(tmp_path: Path):
    make_list(
        tmp_path,
        training=[{"image": "a.dcm", "label": 0, "group": 7, "frame": 3}, {"image": "z.dcm", "label": "abnormal"}],
        validation=[{"image": "v.dcm", "label": 0}],
        test=[{"image": "n.dcm", "label": 0}, {"image": "sub/t.dcm", "label": 1, "mask": "sub/t.png"}],
    )
    assert load(tmp_path, "training") == [
        {"image": str(tmp_path / "a.dcm"), "name": "a.dcm", "label": 0, "group": "7", "frame": 3, "index": 0}
    ]
    test = load(tmp_path, "test")
    assert [item["mask"] for item in test] == ["", str(tmp_path / "sub/t.png")]
    assert all("mask" not in item for item in load(tmp_path, "inference"))


def test_training_entries_need_no_label_and_may_be_strings(tmp_path: Path):
    make_tree(tmp_path, "a.png", "b.png")
    make_list(tmp_path, training=["a.png"], validation=[{"image": "b.png", "label": 0}])
    assert load(tmp_path, "training")[0]["label"] == 0


@pytest.mark.parametrize(
    ("section", "entries", "words"),
    [
        ("test", [{"image": "../a.png", "label": 0}], "leaves dataset_dir"),
        ("test", [{"image": "/etc/a.png", "label": 0}], "leaves dataset_dir"),
        ("test", [{"image": ".", "label": 0}], "leaves dataset_dir"),
        ("test", [{"image": "a.png", "label": 0}, {"image": "./a.png", "label": 0}], "listed twice"),
        ("test", [{"image": "a.png", "label": 2}], "label of test[0] of dataset.json must be 0"),
        ("test", [{"image": "a.png", "label": "tumor"}], "label of test[0] of dataset.json must be"),
        ("test", [{"image": "a.png", "label": "benign"}], "benign may be a finding: write 0 or 1"),
        ("test", [{"image": "a.png"}], "has no label"),
        ("test", [{"label": 0}], "correct the entry"),
        ("test", [{"image": "a.png", "label": 0, "frame": -1}], "frame of test[0]"),
        ("test", [{"image": "a.png", "label": 0, "frame": True}], "frame of test[0]"),
        ("test", [{"image": "a.png", "label": 0, "frames": "every:0"}], "frames of test[0] of dataset.json must be"),
        ("test", [{"image": "a.png", "label": 0, "frames": 3}], "frames of test[0] of dataset.json must be"),
        ("test", [{"image": "a.png", "label": 0, "frame": 1, "frames": "all"}], "has frame and frames; keep one"),
        ("test", [{"image": "a.png", "label": 1, "mask": "m.png"}, {"image": "b.png", "label": 1}], "have no mask"),
        ("test", [], "no test images"),
        ("training", [{"image": "a.png", "label": 1}], "no normal training images"),
        ("training", [], "no normal training images"),
    ],
)
def test_json_refusals(tmp_path: Path, section, entries, words):
    assert words in refusal(make_list(tmp_path, **{section: entries}), section)


def test_listed_file_is_missing(tmp_path: Path):
    make_list(tmp_path, training=[{"image": "a.png"}], test=[{"image": "b.png", "label": 0}])
    (tmp_path / "b.png").unlink()
    assert "the image 'b.png' of test[0] of dataset.json (b.png) does not" in refusal(
        tmp_path, "test", source_names=True
    )
    assert load(tmp_path, "training")


@pytest.mark.parametrize("pair", [({"group": "p"}, {"group": "p"}), ({}, {"image": "a.png"})])
def test_one_patient_or_file_in_two_splits(tmp_path: Path, pair):
    first, second = ({"image": f"{n}.png", "label": 0, **extra} for n, extra in zip("ab", pair, strict=True))
    make_list(tmp_path, training=[first], validation=[], test=[second])
    for section in ("training", "test"):
        assert "is in training and in test" in refusal(tmp_path, section)


def test_frames_of_one_file_are_not_duplicates(tmp_path: Path):
    make_list(tmp_path, test=[{"image": "a.dcm", "label": 0, "frame": n} for n in range(3)])
    assert len(load(tmp_path, "test")) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "must hold an object"),
        ('{"test": 3}', "must be a list"),
        ('{"test": [' + "1" * 5000 + "]}", "not a JSON text"),
        ("[" * 100_000, "not a JSON text"),
        ('{"test": [{"image": "\\ud800.png", "label": 0}]}', "image of test[0]"),
        ('{"test": [{"image": "a\\u0000.png", "label": 0}]}', "image of test[0]"),
        ('{"test": [{"image": "b.png", "label": 0, "group": "\\ud800"}]}', "does not exist"),
    ],
)
def test_broken_json(tmp_path: Path, text, words):
    (tmp_path / "dataset.json").write_text(text)
    assert words in refusal(tmp_path, "test")


@pytest.mark.parametrize(("label", "missing"), [(0, "abnormal"), (1, "normal")])
def test_one_class_has_no_auc(tmp_path: Path, label, missing):
    make_list(tmp_path, test=[{"image": "a.png", "label": label}])
    message = refusal(tmp_path, "test", require_both=True)
    assert "AUC is undefined" in message and f"no {missing} images" in message
    assert len(load(tmp_path, "test")) == 1


def test_inference_takes_every_visible_file(tmp_path: Path):
    make_tree(tmp_path, "b/2.png", "b/1.dcm", "a.txt", ".hidden/x.png", "b/.y")
    items = load(tmp_path, "inference")
    assert names(items) == ["a.txt", "b/1.dcm", "b/2.png"]
    assert {item["label"] for item in items} == {-1}
    make_tree(tmp_path, "test/q.png")
    assert names(load(tmp_path, "inference")) == ["test/q.png"]


def test_inference_takes_one_file(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, "a/x.png", "a/y.png", "a/.z.png")
    expected = {"image": str(tmp_path / "a/x.png"), "name": "x.png", "label": -1, "group": "x.png", "index": 0}
    assert load(tmp_path / "a/x.png", "inference") == [expected]
    assert names(load(tmp_path / "a/.z.png", "inference")) == [".z.png"]
    monkeypatch.chdir(tmp_path / "a")
    assert load("x.png", "inference") == [expected]
    in_folder = load_datalist(tmp_path / "a", "inference")
    assert load_datalist("y.png", "inference") == [{**in_folder[1], "index": 0}]  # the same id


@pytest.mark.parametrize("section", ["training", "validation", "test", "normals", "unlabeled"])
def test_only_inference_takes_a_file(tmp_path: Path, section):
    file = make_tree(tmp_path, "test/normal/DOE_JANE.png") / "test/normal/DOE_JANE.png"
    message = refusal(file, section)
    assert message.startswith("dataset_dir is a file, which only inference takes; give the folder")
    assert "JANE" not in message


@pytest.mark.parametrize("name", ["dataset.json", "labels.csv"])
def test_a_list_is_no_image_to_be_scored(tmp_path: Path, name):
    make_tree(tmp_path, name)
    assert refusal(tmp_path / name, "inference") == f"dataset_dir is a {name}; give the folder that holds it."


def test_a_file_has_no_columns(tmp_path: Path):
    make_tree(tmp_path, "x.png")
    assert "'machine'" in refusal(tmp_path / "x.png", "inference", columns=["machine"])


@pytest.mark.parametrize("section", ["training", "inference"])
def test_what_is_no_file_is_missing(tmp_path: Path, section):
    os.mkfifo(tmp_path / "pipe")
    assert "existing folder" in refusal(tmp_path / "pipe", section)
    assert "for inference any folder or file" in refusal(tmp_path / "none.png", section)


def test_inference_section_of_a_list(tmp_path: Path):
    make_list(tmp_path, test=[{"image": "a.png", "label": 1}], inference=[{"image": "b.png"}])
    assert [(item["name"], item["label"]) for item in load(tmp_path, "inference")] == [("b.png", -1)]


def test_inference_of_nothing(tmp_path: Path):
    assert "no files" in refusal(tmp_path, "inference")


def test_section_is_checked(tmp_path: Path):
    with pytest.raises(ValueError, match="section must be one of"):
        load(tmp_path, "train")


# ---- the normals of a site ------------------------------------------------------------------------------------------


def test_the_normals_of_a_list_are_those_of_training_and_validation(tmp_path):
    make_list(
        tmp_path,
        training=[{"image": "a.png", "label": 0, "group": "p1"}, {"image": "b.png", "label": 1, "mask": "b_mask.png"}],
        validation=[{"image": "c.png", "label": 0}, {"image": "d.png", "label": 1, "mask": "d_mask.png"}],
        test=[{"image": "e.png", "label": 0}],
    )
    items = load(tmp_path, "normals")
    assert names(items) == ["a.png", "c.png"] and [item["group"] for item in items] == ["p1", "c.png"]
    assert {item["label"] for item in items} == {0} and not any("mask" in item for item in items)
    assert [item["index"] for item in items] == [0, 1]


def test_the_normals_of_a_tree_are_those_of_training_and_validation(tmp_path):
    make_tree(tmp_path, "train/normal/p1/a.png", "train/normal/b.png", "val/normal/c.png", "val/abnormal/d.png")
    make_tree(tmp_path, "test/normal/e.png", "test/abnormal/f.png")
    items = load(tmp_path, "normals")
    assert names(items) == ["train/normal/b.png", "train/normal/p1/a.png", "val/normal/c.png"]
    assert items[1]["group"] == "p1"


def test_every_image_of_a_plain_folder_is_normal_and_a_folder_in_it_a_patient(tmp_path, caplog):
    make_tree(tmp_path, "a.png", "p1/b.png", "p1/more/c.png", "p2/d.png", "notes.txt", ".hidden.png")
    items = load(tmp_path, "normals")
    assert names(items) == ["a.png", "p1/b.png", "p1/more/c.png", "p2/d.png"]
    assert [item["group"] for item in items] == ["a.png", "p1", "p1", "p2"]
    assert {item["label"] for item in items} == {0}
    assert "1 files that are no images were skipped" in caplog.text


def test_a_site_without_normals_is_refused(tmp_path):
    make_list(tmp_path, training=[{"image": "a.png", "label": 1}], validation=[], test=[{"image": "e.png", "label": 0}])
    assert "no normal images in training or validation" in refusal(tmp_path, "normals")
    make_tree(tmp_path / "empty", ".hidden")
    assert "no normal images" in refusal(tmp_path / "empty", "normals")
    make_tree(tmp_path / "test_only", "test/normal/a.png", "test/abnormal/b.png")
    assert "no normal images in training or validation" in refusal(tmp_path / "test_only", "normals")


def test_a_patient_in_two_sections_is_refused_for_normals_too(tmp_path):
    make_list(
        tmp_path,
        training=[{"image": "a.png", "label": 0, "group": "p"}],
        validation=[{"image": "c.png", "label": 0, "group": "p"}],
    )
    assert "in training and in validation" in refusal(tmp_path, "normals")
