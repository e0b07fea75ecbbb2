# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import unicodedata

import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from tests.helpers.data_lists import load, make_list, make_tree, names, refusal


def listed(root, *images, form="json"):
    """List images as test images, in a list or a table."""
    if form == "json":
        return make_json(root, [{"image": image, "label": 0} for image in images])
    (root / "labels.csv").write_text("file,label,split\n" + "".join(f"{image},0,test\n" for image in images))
    return root


def make_json(root, entries):
    (root / "dataset.json").write_text(json.dumps({"test": entries}))
    return root


both = pytest.mark.parametrize("form", ["json", "csv"])


@both
def test_backslashes_are_those_of_another_system(tmp_path, form):
    make_tree(tmp_path, "a/b.png", "c\\d.png")
    assert names(load(listed(tmp_path, "a\\b.png", "c\\d.png", form=form), "test")) == ["a/b.png", "c\\d.png"]


@both
def test_case_and_unicode_form_may_differ_and_that_is_said(tmp_path, caplog, form):
    disk = unicodedata.normalize("NFD", "é/Straße 1.PNG")
    make_tree(tmp_path, disk, "exact.png")
    items = load(listed(tmp_path, unicodedata.normalize("NFC", "É/strasse 1.png"), "exact.png", form=form), "test")
    assert sorted(names(items)) == sorted([disk, "exact.png"])
    assert "1 names in " in caplog.text and "differ from those of the files by upper and lower case" in caplog.text


@both
def test_two_files_that_fit_are_refused(tmp_path, form):
    make_tree(tmp_path, "Ab.png", "aB.png")
    assert "differs from 2 files by upper and lower case" in refusal(listed(tmp_path, "ab.png", form=form), "test")


def test_of_files_that_differ_by_case_the_one_that_is_written_is_taken(tmp_path):
    make_tree(tmp_path, "Ab.png", "aB.png", unicodedata.normalize("NFD", "é.png"), "É.png")
    assert names(load(listed(tmp_path, "Ab.png", "aB.png"), "test")) == ["Ab.png", "aB.png"]
    assert names(load(listed(tmp_path, "\u00e9.png"), "test")) == [unicodedata.normalize("NFD", "é.png")]


def test_two_names_of_one_file_are_one_entry_too_many(tmp_path):
    make_tree(tmp_path, "a.png")
    assert "listed twice" in refusal(listed(tmp_path, "a.png", "A.PNG"), "test")


@both
def test_a_list_stays_in_its_folder_unless_another_is_allowed(tmp_path, form):
    data, store = tmp_path / "data", tmp_path / "store"
    make_tree(store, "x/a.png")
    make_tree(data, "b.png")
    listed(data, "../store/x/a.png", "b.png", str(store / "x" / ".." / "x" / "A.png"), form=form)
    assert "leaves dataset_dir" in refusal(data, "test") and "--allow_outside" in refusal(data, "test")
    listed(data, "../store/x/a.png", "b.png", form=form)
    for allowed in (store, str(store), [tmp_path / "data", store / "x"]):
        items = load(data, "test", allow_outside=allowed)
        assert sorted(item["image"] for item in items) == sorted([str(store / "x/a.png"), str(data / "b.png")])
    assert "leaves dataset_dir" in refusal(data, "test", allow_outside=data)


def test_a_mask_may_lie_there_too_and_be_several(tmp_path):
    data, store = tmp_path / "data", tmp_path / "store"
    make_tree(store, "m1.png", "m2.png")
    make_tree(data, "a.png", "b.png")
    make_json(data, [{"image": "a.png", "label": 1, "mask": ["../store/m1.png", str(store / "m2.png")]}])
    assert "leaves dataset_dir" in refusal(data, "test")
    items = load(data, "test", allow_outside=store)
    assert items[0]["mask"] == [str(store / "m1.png"), str(store / "m2.png")]


def test_a_link_does_not_lead_out_of_a_folder_that_is_allowed(tmp_path):
    data, store, secret = tmp_path / "data", tmp_path / "store", tmp_path / "secret"
    make_tree(secret, "a.png")
    make_tree(store, "b.png")
    data.mkdir()
    os.symlink(secret / "a.png", store / "a.png")
    os.symlink(secret, store / "folder")
    for name in ("a.png", "folder/a.png", "folder/A.PNG", "../secret/a.png"):
        assert "leaves dataset_dir" in refusal(listed(data, f"../store/{name}"), "test", allow_outside=store)
    os.symlink(store, tmp_path / "link")
    assert len(load(listed(data, "../store/b.png"), "test", allow_outside=tmp_path / "link")) == 1


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_tree(tmp_path, "data/a.png", "data/~b.png", "store/c.png")
    data = listed(tmp_path / "data", "~/data/a.png", "~b.png", "~/store/c.png")
    assert names(load(data, "test", allow_outside="~/store")) == ["a.png", "~b.png", str(tmp_path / "store/c.png")]


@pytest.mark.parametrize("allowed", [5, True, [1], "/no/such folder", {"a": 1}])
def test_what_is_no_folder_cannot_be_allowed(tmp_path, allowed):
    make_list(tmp_path, test=[{"image": "a.png", "label": 0}])
    with pytest.raises(ValueError, match="allow_outside must be an existing folder"):
        load_datalist(tmp_path, "test", allow_outside=allowed)


@both
def test_a_mask_is_no_image_of_a_list(tmp_path, form):
    make_tree(tmp_path, "a.png", "a_mask.png", "b.png", "b_mask.png", "c_mask.png")
    message = refusal(listed(tmp_path, "a.png", "a_mask.png", "b_mask.png", "c_mask.png", form=form), "test")
    assert message.startswith("2 listed images are called as masks or other helpers")  # b.png is on the disk alone
    assert len(load(listed(tmp_path, "a.png", "c_mask.png", form=form), "test")) == 2


def test_a_name_with_a_line_break_stays_on_its_line(tmp_path):
    make_tree(tmp_path, "a\nb\x1b.png", "a\nb\x1b_mask.png")
    message = refusal(listed(tmp_path, "a\nb\x1b.png", "a\nb\x1b_mask.png"), "test", source_names=True)
    assert "(a\\nb\\x1b_mask.png) first" in message and message.isprintable()


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000])
@both
def test_what_no_file_can_be_called_is_said_and_not_repeated_whole(tmp_path, form, name):
    message = refusal(listed(tmp_path, name, form=form), "test", source_names=True)
    assert "is longer than the name of a file can be" in message or "match no file" in message


def test_a_value_is_repeated_in_short_and_on_its_line(tmp_path):
    make_json(make_tree(tmp_path, "a.png"), [{"image": "a.png", "label": "\n\x1b" * 500}])
    message = refusal(tmp_path, "test", source_names=True)
    assert len(message) < 400 and message.isprintable() and "\\n\\x1b" in message
