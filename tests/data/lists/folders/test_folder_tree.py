# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A tree with other folder names is described, and the layout ``{Train,Test}/{Benign,Cancerous}`` read as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.entries import Naming
from monai_anomaly.data.lists.folders import folder_summary
from monai_anomaly.data.lists.folders.folder_tree import read_tree
from monai_anomaly.data.lists.section import Section
from tests.helpers.data_lists import load, make_tree, names, record_listings, refusal

JANE = "DOE_JANE"
BENIGN = tuple(f"Train/Benign/{n:02d}.png" for n in range(20))
TEST = ("Test/Benign/a.png", "Test/Benign/b.png", "Test/Cancerous/c.png")


# ---- Train and Test, Benign and Cancerous ---------------------------------------------------------------------------


def test_benign_and_cancerous_are_read_as_they_are(tmp_path: Path):
    make_tree(tmp_path, *BENIGN, "Train/Cancerous/x.png", *TEST)
    training, validation = load(tmp_path, "training"), load(tmp_path, "validation")
    assert sorted(names(training) + names(validation)) == list(BENIGN) and len(validation) == 2
    assert {item["label"] for item in training + validation} == {0}
    test = load(tmp_path, "test", require_both=True)
    assert [(item["name"], item["label"]) for item in test] == list(zip(TEST, (0, 0, 1), strict=True))


def _is_empty(folder: Path) -> None:
    folder.mkdir()


def _has_images(folder: Path) -> None:
    make_tree(folder, "a.png", "p1/b.png", "00.png")


def _has_garbage(folder: Path) -> None:
    make_tree(folder, "notes.txt", ".hidden", "x.dcm", "Benign/00.png", "deep/er/normal/y.png", "labels.csv")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere").symlink_to(folder / "none")
    (folder / "bytes.png").write_bytes(os.urandom(64))


def _is_a_file(folder: Path) -> None:
    folder.write_bytes(b"x")


def _is_unreadable(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every folder")
    make_tree(folder, "a.png")
    folder.chmod(0)


@pytest.mark.parametrize("make", [_is_empty, _has_images, _has_garbage, _is_a_file, _is_unreadable])
def test_training_and_validation_do_not_depend_on_the_cancerous_images_of_train(tmp_path: Path, make):
    make_tree(tmp_path, *BENIGN, *TEST)
    sections = ("training", "validation", "test", "normals")
    before = {section: load_datalist(tmp_path, section) for section in sections}
    folder = tmp_path / "Train/Cancerous"
    try:
        make(folder)
        assert {section: load_datalist(tmp_path, section) for section in sections} == before
    finally:
        if folder.is_dir():
            folder.chmod(0o700)


def test_the_cancerous_folder_of_train_is_listed_to_be_counted_alone(tmp_path: Path, monkeypatch):
    """What the rights of a folder cannot show where the tests run as root."""
    make_tree(tmp_path, *BENIGN, "Train/Cancerous/p/x.png", *TEST)
    listed = record_listings(monkeypatch)
    for section in ("validation", "test", "normals"):
        load(tmp_path, section)
    assert str(tmp_path / "Train/Benign") in listed and str(tmp_path / "Test/Cancerous") in listed
    assert not [place for place in listed if "Train/Cancerous" in place]
    assert load_datalist(tmp_path, "training").left_out == {"abnormal training images, which are never opened": 1}
    assert str(tmp_path / "Train/Cancerous/p") in listed


# ---- no normal images -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["training", "validation", "normals"])
@pytest.mark.parametrize(
    "files", [(), ("Train/Benign/notes.txt", "Train/Benign/.hidden.png"), ("Train/Cancerous/a.png",)]
)
def test_an_empty_folder_of_normal_images_is_named(tmp_path: Path, section, files):
    make_tree(tmp_path, *files, *TEST)
    (tmp_path / "Train/Benign").mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataListError, match=r"^Train/Benign holds no images; put the normal training images there\.$"):
        read_tree(tmp_path, Naming(), Section(section))


def test_what_needs_no_training_images_does_without(tmp_path: Path):
    make_tree(tmp_path, "Val/Benign/v.png", *TEST)
    (tmp_path / "Train/Benign").mkdir(parents=True)
    for section in ("test", "inference", "validation", "normals", "unlabeled"):
        assert len(read_tree(tmp_path, Naming(), Section(section)).test) == 3
    assert names(load(tmp_path, "test", require_both=True)) == list(TEST)
    with pytest.raises(DataListError, match="Train/Benign holds no images"):
        read_tree(tmp_path, Naming(), Section.TRAINING)


# ---- other names ----------------------------------------------------------------------------------------------------


def _told(root: Path, source_names: bool = False) -> str:
    """Return the last sentence of the refusal."""
    message = refusal(root, "training", source_names=source_names)
    assert message.count("It holds ") == 1 and "\n" not in message
    return "It holds " + message.split("It holds ")[1]


def test_folders_and_theirs_are_listed_with_their_files(tmp_path: Path):
    make_tree(tmp_path, "Training data/Benign/a.png", "Training data/Benign/p1/b.png", "Training data/Nevi/c.png")
    make_tree(tmp_path, f"{JANE}/x.png", f"{JANE}/y.png", "Benign/z.png", ".hidden/a.png", "more/.hidden")
    assert _told(tmp_path) == (
        "It holds Benign (1 file), another name (2 files), another name/Benign (2 files), another name/another name "
        "(1 file), another name (0 files)."
    )
    assert _told(tmp_path, source_names=True) == (
        f"It holds Benign (1 file), {JANE} (2 files), Training data/Benign (2 files), Training data/Nevi (1 file), "
        "more (0 files)."
    )


def test_a_folder_above_the_data_shows_where_they_are(tmp_path: Path):
    make_tree(tmp_path, *(f"ocad/{name}" for name in (*BENIGN, *TEST)), "ocad/readme.md")
    assert _told(tmp_path, True) == "It holds ocad (1 file), ocad/Test (3 files), ocad/Train (20 files)."


def test_a_folder_of_images_and_an_empty_one_say_so(tmp_path: Path):
    assert _told(tmp_path) == "It holds no folders and 0 files."
    make_tree(tmp_path, "a.png", f"{JANE}.png", ".hidden")
    assert _told(tmp_path) == "It holds no folders and 2 files."


def test_classes_with_other_names_are_listed_too(tmp_path: Path):
    make_tree(tmp_path, f"Train/{JANE}/a.png", "Test/Benign/b.png", "Test/Cancerous/c.png")
    message = refusal(tmp_path, "training")
    assert message.startswith("Train has no folder of normal images; name it Train/normal")
    told = "It holds Test/Benign (1 file), Test/Cancerous (1 file), Train/another name (1 file)."
    assert message.endswith(told) and JANE not in message
    (tmp_path / "Train/Benign").mkdir()
    message = refusal(tmp_path, "training")
    assert message.startswith("1 of the 2 folders in Train are neither a normal nor an abnormal class")
    assert "Train/Benign (0 files), Train/another name (1 file)." in message and JANE not in message


@pytest.mark.parametrize(("n", "more"), [(12, ""), (13, " and 1 more folders"), (40, " and 28 more folders")])
def test_twelve_folders_are_listed_and_the_others_counted(tmp_path: Path, n, more):
    make_tree(tmp_path, *(f"{JANE}/{JANE}_{k}/a.png" for k in range(n)))
    entry = "another name/another name (1 file)"
    assert _told(tmp_path) == f"It holds {', '.join([entry] * 12)}{more}."


def test_a_disk_is_not_counted_to_its_end(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(folder_summary, "COUNTED", 3)
    make_tree(tmp_path, *(f"a/b/p{n}/{n}.png" for n in range(3)), *(f"c/{n}.png" for n in range(4)))
    assert _told(tmp_path, True) == "It holds a/b (3 files), c (more than 3 files)."


def test_a_folder_that_cannot_be_listed_is_said_to_be_so(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, "a/b/p/x.png", f"{JANE}/y.png", "c/z.png")
    scandir, iterdir = os.scandir, Path.iterdir

    def refuse(path):
        if Path(path).name in ("p", JANE):
            raise PermissionError(13, "Permission denied", str(path))
        return path

    monkeypatch.setattr(os, "scandir", lambda path: scandir(refuse(path)))
    monkeypatch.setattr(Path, "iterdir", lambda self: iterdir(refuse(self)))
    assert _told(tmp_path) == "It holds another name (cannot be read), another name/another name (cannot be read), " + (
        "another name (1 file)."
    )


def test_links_are_followed_once(tmp_path: Path):
    make_tree(tmp_path / "data", "a/b/x.png")
    make_tree(tmp_path / "elsewhere", "y.png")
    (tmp_path / "data/a/b/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/b/loop").symlink_to(tmp_path / "data/a/b")
    assert _told(tmp_path / "data", True) == "It holds a/b (2 files)."
