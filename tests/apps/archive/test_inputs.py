# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fsspec
import pytest

from monai_anomaly.apps.archive.inputs import digest_of_names, list_inputs
from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist


@pytest.fixture
def store(pictures):
    """The URL of the pictures in an object store in memory."""
    system = fsspec.filesystem("memory")
    for path in pictures.rglob("*.png"):
        system.pipe_file(f"/archive/{path.relative_to(pictures).as_posix()}", path.read_bytes())
    system.pipe_file("/archive/a/.DS_Store", b"of a system")
    yield "memory://archive"
    system.rm("/archive", recursive=True)


@pytest.mark.parametrize("source_names", [False, True])
def test_a_store_has_the_names_of_a_folder(pictures, store, source_names):
    of_folder, of_store = (list_inputs(each, source_names=source_names) for each in (str(pictures), store))
    listed = load_datalist(pictures, "inference", source_names=source_names)
    same = [{key: item[key] for key in ("name", "group", "index")} for item in listed]
    for items in (of_folder, of_store):
        assert [{key: item[key] for key in ("name", "group", "index")} for item in items] == same
    assert len(same) == 10 and digest_of_names(of_store) == digest_of_names(of_folder)
    assert all(item["image"].startswith("memory://") for item in of_store)
    assert ("a/0.png" == of_store[0]["name"]) == source_names


def test_a_url_of_one_file_is_that_file(store):
    (item,) = list_inputs(f"{store}/a/0.png", source_names=True)
    assert item["name"] == "0.png" and item["image"].endswith("/archive/a/0.png")


def test_a_list_keeps_its_order_and_its_words(pictures, tmp_path):
    (tmp_path / "0.png").touch()
    lines = ["memory://archive/x.png", str(pictures / "b" / "1.png"), "", "0.png", "gone.png"]
    (tmp_path / "these.txt").write_text("\n".join(lines))
    items = list_inputs(str(tmp_path / "these.txt"), source_names=True)
    assert [item["name"] for item in items] == [line for line in lines if line]
    assert [item["index"] for item in items] == [0, 1, 2, 3]
    assert items[2]["image"] == str(tmp_path / "0.png") and items[0]["image"] == lines[0]
    hashed = list_inputs(str(tmp_path / "these.txt"))
    assert not {item["name"] for item in hashed} & set(lines)


@pytest.mark.parametrize("content", ["", "\n\n", "a.png\nb.png\na.png\n"])
def test_a_list_that_makes_no_sense_is_refused(content, tmp_path):
    (tmp_path / "these.txt").write_text(content)
    with pytest.raises(DataListError, match=r"line 3 of the list is there before|the list is empty"):
        list_inputs(str(tmp_path / "these.txt"))


@pytest.mark.parametrize("url", ["nobody://archive", "memory://not_there"])
def test_a_url_that_cannot_be_listed_is_refused(url):
    with pytest.raises(DataListError):
        list_inputs(url)
