# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The committed configurations are those that ``make bundles`` writes, and its rules hold."""

from __future__ import annotations

import json
import re

import pytest

from bundles._base import generate
from bundles._base.generate import BASE, METHODS, PARTS, bundle_files, merge, to_text, write_bundle
from monai_anomaly.utils.override_keys import SWITCHES
from tests.helpers.repository import ROOT

METHOD_FILES = sorted(METHODS.glob("*.json"))
SCORING = ("evaluate", "calibrate", "inference")


@pytest.mark.parametrize("method", METHOD_FILES, ids=lambda path: path.stem)
def test_the_committed_files_are_those_that_make_bundles_writes(method):
    folder = ROOT / "bundles" / method.stem
    written = {name: (folder / name).read_text(encoding="utf-8") for name in bundle_files(method)}
    assert written == bundle_files(method), "run `make bundles`; what is to stay belongs into bundles/_base"


def test_every_bundle_has_a_method_file_and_the_base_is_no_bundle():
    bundles = {path.parts[-3] for path in (ROOT / "bundles").glob("*/configs/train.json")}
    assert bundles == {path.stem for path in METHOD_FILES}
    assert not (BASE / "configs").exists()


def test_what_is_set_alike_for_the_three_that_score_is_in_one_place():
    texts = {name: json.loads((BASE / f"{name}.json").read_text()) for name in ("common", "scoring", *SCORING)}
    three = [{k: v for k, v in texts[name].items() if v != "..."} for name in SCORING]
    alike = {key for key in set.intersection(*map(set, three)) if len({json.dumps(text[key]) for text in three}) == 1}
    assert alike == set()
    shared = texts["common"].keys() & texts["scoring"].keys()
    assert all(texts["scoring"][key] == "..." for key in shared)


def test_names_stand_for_references_of_the_same_name(tmp_path):
    (tmp_path / "method.json").write_text('{"x": {"a": 1, "=": ["b", "c"], "d": 2}}')
    read = generate.read_part(tmp_path / "method.json")
    assert read == {"x": {"a": 1, "b": "@b", "c": "@c", "d": 2}} and list(read["x"]) == ["a", "b", "c", "d"]


def test_no_object_has_a_key_twice():
    def refuse(pairs):
        assert len({key for key, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    for source in BASE.rglob("*.json"):
        json.loads(source.read_text(encoding="utf-8"), object_pairs_hook=refuse)


def test_the_command_knows_the_switches_of_all_bundles():
    configs = [json.loads(path.read_text()) for path in (ROOT / "bundles").glob("*/configs/*.json")]
    keys = {key for config in configs for key, value in config.items() if isinstance(value, bool)}
    assert {key for key in keys if key.isidentifier()} == SWITCHES


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 1, "d": 3}}),
        ({"a": {"x": 1}}, {"a": {"_target_": "A", "y": 2}}, {"a": {"_target_": "A", "y": 2}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"+a": [3]}, {"a": [1, 2, 3]}),
        ({"a": [1, "...", 2]}, {"+a": [3]}, {"a": [1, 3, "...", 2]}),
        ({"a": 1, "b": 2}, {"-a": "for a reason"}, {"b": 2}),
        ({"a": 1, "b": 2}, {"a": "...", "+b": "..."}, {"a": 1, "b": 2}),
        ({"a": "..."}, {"a": 1}, {"a": 1}),
        ({"a": None}, {"a": "..."}, {"a": None}),
        ({"+a": [1]}, {"+a": "...", "+b": [2]}, {"+a": [1], "+b": [2]}),  # a configuration for MONAI to add
    ],
)
def test_a_change_is_merged(before, change, expected):
    assert merge(before, change) == expected


def test_a_key_that_is_not_there_cannot_be_taken_away():
    with pytest.raises(ValueError, match=r"'-b' takes away a key that is not there; there are a"):
        merge({"a": 1}, {"-b": "mistyped"})


def test_a_new_key_stands_before_the_one_that_follows_it():
    merged = merge({"a": 1, "d": 2, "e": 3}, {"b": 4, "c": 5, "d": "...", "f": 6})
    assert list(merged.items()) == [("a", 1), ("b", 4), ("c", 5), ("d", 2), ("e", 3), ("f", 6)]


def test_two_methods_add_to_a_place_in_the_order_of_their_files():
    assert merge(merge({"a": ["...", 9]}, {"+a": [1]}), {"+a": [2]}) == {"a": [1, 2, "...", 9]}


def test_the_text_has_short_lists_on_a_line_and_blank_lines_where_they_are_wanted():
    text = to_text({"a": [1, 2], "b": {"c": ["x" * 80]}, "d": [{}], "e": []}, {"b"})
    assert text == (
        '{\n    "a": [1, 2],\n\n    "b": {\n        "c": [\n            "' + "x" * 80 + '"\n        ]\n    },\n'
        '    "d": [\n        {}\n    ],\n    "e": []\n}\n'
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trian": {}}, r"the sections must be among .*train.*, got trian"),
        (
            {"train": {"spec": {"detector": "A"}}},
            r"the section 'train' or one before must give 'bundle_root'.*'max_epochs'",
        ),
    ],
)
def test_an_incomplete_method_is_one_sentence(change, sentence, tmp_path):
    method = tmp_path / "method.json"
    method.write_text(json.dumps(change))
    with pytest.raises(ValueError, match=sentence):
        bundle_files(method)


def test_what_a_method_takes_in_stands_before_its_own(tmp_path, monkeypatch):
    method, extra = tmp_path / "method.json", tmp_path / "extra.json"
    extra.write_text(json.dumps({"train": {"a": 1, "b": 1}, "metadata": {"license": "another"}}))
    sections = json.loads((METHODS / "simsid.json").read_text())
    sections["train"]["b"] = 2
    method.write_text(json.dumps({"with": ["extra"], **sections}))
    monkeypatch.setattr(generate, "EXTRAS", tmp_path)
    files = bundle_files(method)
    train = json.loads(files["configs/train.json"])
    assert (train["a"], train["b"]) == (1, 2)
    assert json.loads(files["configs/metadata.json"])["license"] == "another"


def test_a_bundle_is_written_anywhere(tmp_path):
    write_bundle(METHOD_FILES[0], tmp_path / "other")
    assert {path.stem for path in (tmp_path / "other" / "configs").glob("*.json")} == set(PARTS)
    assert re.search("Apache License", (tmp_path / "other" / "LICENSE").read_text())
