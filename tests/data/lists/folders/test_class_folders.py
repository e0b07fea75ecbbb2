# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Folders that the user says are abnormal, and what is said of those of which nobody does."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.folders.folder_names import check_folders, is_finding
from monai_anomaly.data.lists.pool import load_pool
from tests.helpers.data_lists import load, make_tree, names, refusal

GOOD = tuple(f"train/good/{n}.png" for n in range(10))
MVTEC = (*GOOD, "test/good/a.png", "test/broken_large/b.png", "test/scratch/c.png", "ground_truth/scratch/c_mask.png")
JANE = "DOE_JANE"
SECTIONS = ("training", "validation", "test", "normals", "unlabeled")


def labels(root: Path, section: str = "test", **options) -> dict[str, int]:
    return {item["name"]: item["label"] for item in load(root, section, **options)}


@pytest.mark.parametrize("folders", [["broken_large", "scratch"], ("Scratch ", "BROKEN_LARGE"), "*", ["*", "scratch"]])
def test_named_folders_of_a_tree_are_abnormal(tmp_path: Path, folders):
    make_tree(tmp_path, *MVTEC)
    test = labels(tmp_path, abnormal_folders=folders, require_both=True)
    assert test == {"test/good/a.png": 0, "test/broken_large/b.png": 1, "test/scratch/c.png": 1}
    training = load(tmp_path, "training", abnormal_folders=folders)
    assert set(names(training)) < set(GOOD) and len(training) == 9
    assert labels(tmp_path, "inference", abnormal_folders=folders) == test


def test_a_single_name_is_enough(tmp_path: Path):
    make_tree(tmp_path, *GOOD, "val/NORMAL/x.png", "val/PNEUMONIA/y.png")
    assert "the splits name the same class differently (good, normal)" in refusal(
        tmp_path, "training", abnormal_folders="pneumonia"
    )
    (tmp_path / "train/good").rename(tmp_path / "train/NORMAL")
    make_tree(tmp_path, "train/PNEUMONIA/never_read.png", "test/NORMAL/a.png", "test/PNEUMONIA/b.png")
    assert labels(tmp_path, "validation", abnormal_folders="pneumonia") == {
        "val/NORMAL/x.png": 0,
        "val/PNEUMONIA/y.png": 1,
    }
    assert len(load(tmp_path, "training", abnormal_folders="pneumonia")) == 10


def test_named_abnormal_training_images_are_never_listed(tmp_path: Path):
    make_tree(tmp_path, *GOOD, "test/good/a.png", "test/defect/b.png")
    (tmp_path / "train/defect").mkdir()
    (tmp_path / "train/defect/nowhere").symlink_to(tmp_path / "none")
    assert len(load(tmp_path, "training", abnormal_folders="defect")) == 9


def test_the_splits_may_name_findings_differently_and_our_names_must_agree(tmp_path: Path):
    make_tree(
        tmp_path, *GOOD, "val/good/v.png", "val/tumor/w.png", "test/good/a.png", "test/cyst/b.png", "test/bad/c.png"
    )
    for folders in (["tumor", "cyst"], "*"):
        assert labels(tmp_path, abnormal_folders=folders) == {
            "test/good/a.png": 0,
            "test/cyst/b.png": 1,
            "test/bad/c.png": 1,
        }
    make_tree(tmp_path, "val/malignant/x.png")
    assert "(bad, malignant)" in refusal(tmp_path, "test", abnormal_folders=["tumor", "cyst"])
    assert len(labels(tmp_path, abnormal_folders="*")) == 3


def test_a_named_folder_is_abnormal_whatever_else_its_name_means(tmp_path: Path):
    """As in a data set of normal, benign and malignant images."""
    make_tree(tmp_path, *(f"{name}/{n}.png" for name in ("normal", "benign", "malignant") for n in range(10)))
    both = ["benign", "malignant"]
    assert "benign and normal mean the same" in refusal(tmp_path, "test")
    test = labels(tmp_path, abnormal_folders=both)
    assert sorted(label for label in test.values()) == [0] * 3 + [1] * 15
    assert all(label == (not name.startswith("normal")) for name, label in test.items())
    assert len(load(tmp_path, "training", abnormal_folders=both)) == 6


def test_every_folder_beside_the_normal_one_of_a_plain_tree_but_the_pool(tmp_path: Path):
    make_tree(tmp_path, *(f"normal/{n}.png" for n in range(10)), "tumor/a.png", f"{JANE}/b.png", "unlabeled/c.png")
    held_out = {**labels(tmp_path, "validation", abnormal_folders="*"), **labels(tmp_path, abnormal_folders="*")}
    assert {name for name, label in held_out.items() if label} == {"tumor/a.png", f"{JANE}/b.png"}
    assert names(load_pool(tmp_path, abnormal_folders="*", source_names=True)) == ["unlabeled/c.png"]


def test_every_folder_needs_a_normal_one_beside_it(tmp_path: Path):
    """So that the patients of a folder to be scored are no classes when the training said so of its own."""
    make_tree(tmp_path, "test/p1/a.png", "test/p2/b.png")
    assert set(labels(tmp_path, "inference", abnormal_folders="*").values()) == {-1}
    make_tree(tmp_path / "plain", "p1/a.png", "p2/b.png")
    assert len(load(tmp_path / "plain", "normals", abnormal_folders="*")) == 2


def test_names_that_are_not_there_do_no_harm(tmp_path: Path):
    """A training's names reach data sets of other forms, too."""
    make_tree(tmp_path, *GOOD, "test/good/a.png", "test/bad/b.png")
    assert labels(tmp_path, abnormal_folders=["scratch"]) == {"test/good/a.png": 0, "test/bad/b.png": 1}
    table = make_tree(tmp_path / "table", "scratch/a.png", "b.png")
    (table / "labels.csv").write_text("file,label,split\nscratch/a.png,0,test\nb.png,1,test\n")
    assert labels(table, abnormal_folders="scratch") == {"scratch/a.png": 0, "b.png": 1}


# ---- what is said of other folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_findings_are_named_with_the_key(tmp_path: Path, section):
    make_tree(tmp_path, *MVTEC)
    message = refusal(tmp_path, section)
    assert message.startswith(
        "2 of the 3 folders in test are neither a normal nor an abnormal class ('broken_large', 'scratch'); if they "
        "hold abnormal images, say so with --abnormal_folders \"['broken_large','scratch']\", else move them away"
    )
    assert "test/broken_large (1 file)" in message


@pytest.mark.parametrize("section", SECTIONS)
def test_other_names_may_be_patients_and_are_shown_on_demand(tmp_path: Path, section):
    make_tree(tmp_path, *GOOD, "test/good/a.png", f"test/{JANE}/b.png", "test/scratch/c.png")
    message = refusal(tmp_path, section)
    assert "('scratch', 1 with another name, which --source_names True shows)" in message
    assert '--abnormal_folders "*"' in message and JANE not in message
    shown = refusal(tmp_path, section, source_names=True)
    assert f"('{JANE}', 'scratch')" in shown and f"\"['{JANE}','scratch']\"" in shown


def test_a_name_that_the_user_wrote_may_be_repeated(tmp_path: Path):
    make_tree(tmp_path, *GOOD, "test/good/a.png", "test/Weird/b.png", f"test/{JANE}/c.png")
    message = refusal(tmp_path, "test", abnormal_folders=["weird"])
    assert message.startswith("1 of the 3 folders in test") and "test/Weird (1 file)" in message and JANE not in message


def test_no_message_and_no_log_names_a_folder_that_every_folder_took(tmp_path: Path, caplog):
    make_tree(tmp_path, *GOOD, "test/good/a.png", f"test/{JANE}/b.png", f"test/{JANE}/{JANE}.txt")
    with caplog.at_level(logging.DEBUG):
        items = load_datalist(tmp_path, "test", abnormal_folders="*")
    assert [item["label"] for item in items] == [0, 1]
    assert "skipped in test/another name" in caplog.text and JANE not in caplog.text
    make_tree(tmp_path, "train/good/p/x.png", f"test/{JANE}/p/y.png")  # a patient in two sections
    message = refusal(tmp_path, "test", abnormal_folders="*")
    assert "test/another name, sorted by name" in message and JANE not in message


@pytest.mark.parametrize("name", ["defect", "PNEUMONIA", "broken_large", "lung-opacity", "Viral Pneumonia", " tumor"])
def test_findings(name):
    assert is_finding(name)


@pytest.mark.parametrize(
    "name", [JANE, "", "large", "Small", "lung", "jane_tumor", "tumor_1", "tumor2", "19580312", "_"]
)
def test_no_findings(name):
    """Surnames, and findings with a name or a number beside them."""
    assert not is_finding(name)


# ---- the key's value ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ()),
        (None, ()),
        ("defect", ("defect",)),
        (["Defect", "scratch ", "defect"], ("defect", "scratch")),
        (("a", "b/"), ("a", "b")),
        ("*", ("*",)),
        (3, ("3",)),  # a folder called 3, as the command line reads it
        ([0, "1"], ("0", "1")),
    ],
)
def test_what_names_folders(value, expected):
    assert check_folders(value) == expected


@pytest.mark.parametrize("value", ["", [""], "test/defect", ["a\\b"], True, [None], {"a": 1}, {"a"}, 1.5, [["a"]]])
def test_what_names_none(tmp_path: Path, value):
    with pytest.raises(ValueError, match="abnormal_folders must be the name of a folder or a list of names"):
        load_datalist(tmp_path, "test", abnormal_folders=value)
