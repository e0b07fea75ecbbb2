# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist


def write_list(folder, entries, **more):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        (folder / name).write_bytes(b"x")
    training = [{"image": "d.png", "label": 0}]
    (folder / "dataset.json").write_text(json.dumps({"training": training, "validation": [], "test": entries} | more))
    return folder


TEST = [
    {"image": "a.png", "label": 0, "machine": "A", "age": 40},
    {"image": "b.png", "label": 1, "machine": " B "},
    {"image": "c.png", "label": 1, "machine": None, "age": 71.5},
]


def test_columns_of_a_list(tmp_path):
    items = load_datalist(write_list(tmp_path, TEST), "test", columns=["machine", "age"])
    assert [item["column:machine"] for item in items] == ["A", "B", ""]
    assert [item["column:age"] for item in items] == ["40", "", "71.5"]


def test_only_what_is_asked_for_travels(tmp_path):
    items = load_datalist(write_list(tmp_path, TEST), "test", columns=["age"])
    assert [key for key in items[0] if key.startswith("column")] == ["column:age"]
    assert "machine" not in json.dumps(load_datalist(tmp_path, "test"))


@pytest.mark.parametrize("split", [True, False])
def test_columns_of_a_table(tmp_path, split):
    write_list(tmp_path, [])
    (tmp_path / "dataset.json").unlink()
    header, ends = ("split,", ("test", "test", "train", "train")) if split else ("", None)
    rows = [f"{ends[i] + ',' if ends else ''}{n}.png,{i % 2},M{i}" for i, n in enumerate("abcd")]
    (tmp_path / "labels.csv").write_text("\n".join([f"{header}file,label,Machine", *rows]))
    items = load_datalist(tmp_path, "test", columns=["Machine"], source_names=True)
    assert items and all(item["column:Machine"] == f"M{'abcd'.index(item['name'][0])}" for item in items)


def test_a_column_that_nobody_has_is_refused(tmp_path):
    with pytest.raises(DataListError, match="no image of this section has a value in the column 'site'"):
        load_datalist(write_list(tmp_path, TEST), "test", columns=["site"])


def test_a_folder_tree_has_no_columns(tmp_path):
    for part in ("train/normal", "test/normal", "test/abnormal"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "a.png").write_bytes(b"x")
    assert len(load_datalist(tmp_path, "test")) == 2
    with pytest.raises(DataListError, match="a folder tree has none"):
        load_datalist(tmp_path, "test", columns=["machine"])


@pytest.mark.parametrize("value", [["A"], {"a": 1}, "x" * 201])
def test_a_value_that_names_no_subgroup_is_refused(tmp_path, value):
    entries = [TEST[0], TEST[1] | {"machine": value}]
    with pytest.raises(DataListError, match=r"machine of test\[1\] of dataset.json must be a number or a text"):
        load_datalist(write_list(tmp_path, entries), "test", columns=["machine"])


@pytest.mark.parametrize(
    ("columns", "error"), [(["label"], DataListError), (["Image"], DataListError), ("machine", ValueError)]
)
def test_names_that_are_no_columns_are_refused(tmp_path, columns, error):
    with pytest.raises(error):
        load_datalist(write_list(tmp_path, TEST), "test", columns=columns)
