# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who is in a data set is said by keyed hashes only, and nothing depends on them."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash
from tests.helpers.data_lists import make_list, make_tree

JANE = "DOE_JANE"
KEY = b"the key of one hospital"


def use_key(folder: Path, monkeypatch, key: bytes = KEY) -> None:
    path = folder / key.hex()
    path.write_bytes(key)
    monkeypatch.setenv(KEY_VARIABLE, str(path))


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    use_key(tmp_path_factory.mktemp("key"), monkeypatch)


def test_names_and_groups_are_keyed_hashes_and_paths_open(tmp_path: Path):
    make_tree(tmp_path, f"train/normal/{JANE}/a.png", "val/normal/b.png")
    (item,) = load_datalist(tmp_path, "training")
    assert item["name"] == keyed_hash(f"train/normal/{JANE}/a.png", KEY, "file")
    assert item["group"] == keyed_hash(JANE, KEY, "patient")
    assert Path(item["image"]).is_file() and item["index"] == 0
    (plain,) = load_datalist(tmp_path, "training", source_names=True)
    assert (plain["name"], plain["group"], plain["image"]) == (f"train/normal/{JANE}/a.png", JANE, item["image"])


def test_source_names_need_no_key(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, "train/normal/a.png")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "none"))
    assert load_datalist(tmp_path, "training", source_names=True)[0]["name"] == "train/normal/a.png"


def test_the_key_does_not_choose_what_is_held_out(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, *(f"train/normal/p{n}/{k}.png" for n in range(25) for k in range(2)))
    held = []
    for key in (KEY, b"the key of another", b"the key of a third"):
        use_key(tmp_path, monkeypatch, key)
        items = load_datalist(tmp_path, "validation")
        held.append([item["image"] for item in items])
        assert items[0]["name"] == keyed_hash(Path(items[0]["image"]).relative_to(tmp_path).as_posix(), key, "file")
    assert len(held[0]) == 4 and held[0] == held[1] == held[2]


def tree(*names):
    return lambda root: make_tree(root, *names)


def listed(**sections):
    return lambda root: make_list(root, **sections)


def table(text):
    return lambda root: (make_tree(root, f"{JANE}/a.png", "b.png") / "labels.csv").write_text(text)


def image(name, **more):
    return {"image": f"{JANE}/{name}", "label": 0, **more}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (tree(f"test/normal/{JANE}/a.png", f"train/normal/{JANE}/a.png"), "entry 1 of test/normal, sorted by name (id"),
        (tree("test/normal/a.png", f"test/{JANE}/a.png"), "1 of the 2 folders in test"),
        (listed(test=[image("a.png"), image("a.png")]), "test[1] of dataset.json (id"),
        (listed(test=[image("a.png"), {"image": f"./../{JANE}", "label": 0}]), "test[1] of dataset.json"),
        (listed(test=[image("a.png", mask=f"../{JANE}")]), "mask of test[0] of dataset.json"),
        (listed(test=[image("a.png", label=JANE)]), "test[0] of dataset.json"),
        (listed(test=[image("a.png", frame=JANE)]), "test[0] of dataset.json"),
        (listed(test=[image("a.png", frames=JANE)]), "test[0] of dataset.json"),
        (listed(test=[image("a.png", label=1), image("b.png", label=1, mask="m.png")]), "test[0] of dataset.json (id"),
        (
            listed(test=[image("a.png", group=JANE)], training=[image("b.png", group=JANE)]),
            "test[0] of dataset.json (id",
        ),
        (listed(test=[{"image": f"./{JANE}.png", "label": 0}]), "test[0] of dataset.json (id"),
        (listed(test=[{JANE: 1}]), "test[0] of dataset.json"),
        (table(f"file,label\n{JANE}/b.png,0\n"), "line 2"),
        (table(f"file,label\n../x/{JANE}.png,0\n"), "line 2"),
        (table(f"file,label\n{JANE}/a.png,{JANE}\n"), "line 2"),
        (table(f"file,label,split\n{JANE}/a.png,0,{JANE}\n"), "line 2"),
        (table(f"file,label\n{JANE}/a.png,0\n{JANE}/a.png,1\n"), "line 3"),
        (table(f"file,label\nb.png,0\n{JANE},{JANE},{JANE}\n"), "line 3"),
        (table(f'file,label\nb.png,0\n"{JANE}\n'), "line 3"),
        (table(f"file,label\nb.png,0\n{JANE}\0,0\n"), "line 3"),
        (table(f"{JANE},{JANE}\n"), "first line of labels.csv"),
        (lambda root: root.rmdir(), "existing folder"),
    ],
)
def test_messages_and_logs_name_places_not_people(tmp_path: Path, caplog, make, words):
    root = tmp_path / JANE
    root.mkdir()
    make(root)
    with caplog.at_level(logging.DEBUG), pytest.raises(DataListError) as caught:
        load_datalist(root, "test")
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert words in said and JANE not in said


def test_logs_of_a_good_table_name_nobody(tmp_path: Path, caplog):
    root = make_tree(tmp_path / JANE, *(f"{JANE}{n}.png" for n in range(9)), f"{JANE}.txt")
    rows = [f"{JANE}{n}.png,{n % 2},{JANE}-{n}\n" for n in range(8)]
    (root / "labels.csv").write_text(f"file,label,group,{JANE}\n" + "".join(row[:-1] + ",x\n" for row in rows))
    with caplog.at_level(logging.DEBUG):
        items = load_datalist(root, "test", require_both=True)
    assert "split by seed" in caplog.text and "1 files below" in caplog.text and "1 columns" in caplog.text
    assert JANE not in caplog.text
    assert JANE not in json.dumps([{k: v for k, v in item.items() if k != "image"} for item in items])


def test_source_names_are_named_when_asked_for(tmp_path: Path):
    make_tree(tmp_path, "test/normal/a.png", f"test/{JANE}/a.png")
    with pytest.raises(DataListError, match=JANE):
        load_datalist(tmp_path, "test", source_names=True)


def test_the_id_is_that_of_inspect(tmp_path: Path):
    make_tree(tmp_path, "train/normal/p/a.png", "test/normal/p/b.png")
    with pytest.raises(DataListError, match="inspect FOLDER") as caught:
        load_datalist(tmp_path, "test")
    assert keyed_hash("test/normal/p/b.png", KEY, "file") in str(caught.value)


def test_unreadable_folder(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, f"train/normal/{JANE}/a.png")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", f"/x/{JANE}")

    monkeypatch.setattr("monai_anomaly.data.lists.folders.folder_entries.walk_files", refuse)
    with pytest.raises(DataListError, match="Permission denied") as caught:
        load_datalist(tmp_path, "training")
    assert JANE not in "".join(traceback.format_exception(caught.value))
