# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import check_keys

KNOWN = {
    "max_epochs": 3,
    "shuffle": True,
    "train": {"trainer": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}, "items": [1, {"a": 2}]},
}


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("max_epoch", "max_epochs"),
        ("maxepochs", "max_epochs"),
        ("train::trainr", "trainer"),
        ("train#trainer#in_feature", "in_features"),
        ("train::items::1::aa", "a"),
    ],
)
def test_unknown_key_names_the_nearest(key, nearest):
    with pytest.raises(ConfigError) as caught:
        check_keys({key: 1}, KNOWN)
    assert f"--{key}" in str(caught.value) and f"'{nearest}'" in str(caught.value)


@pytest.mark.parametrize("key", ["max_epochs", "train::trainer::bias", "train#trainer#in_features", "train::items::0"])
def test_known_keys_pass(key):
    check_keys({key: 1}, KNOWN)


@pytest.mark.parametrize(
    ("key", "value", "words"), [("shuffle", "false", "True or False"), ("max_epochs", "ten", "a number")]
)
def test_a_text_is_no_switch_and_no_number(key, value, words):
    with pytest.raises(ConfigError, match=f"--{key} must be {words}"):
        check_keys({key: value}, KNOWN)


def test_a_list_has_no_such_entry():
    with pytest.raises(ConfigError, match="list of 2"):
        check_keys({"train::items::2": 1}, KNOWN)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("name", "true", "--name must be True or False, got the text 'true'; write --name True."),
        ("name", "false", "--name must be True or False, got the text 'false'; write --name False."),
        ("name", "null", "--name null would be a text: write --name '$None'."),
        ("nothing", "None", "--nothing None would be a text: write --nothing '$None'."),
        ("nothing", "ten", "--nothing must be a number, a list or '$None', got the text 'ten'."),
        ("max_epochs", True, "--max_epochs must be a number, got True."),
        ("dataset_dir", 2024, "--dataset_dir must be a path and was read as 2024: write ./ before it."),
        ("dataset_dir", ("a", "b"), "--dataset_dir must be a path and was read as ('a', 'b'): write ./ before it."),
    ],
)
def test_every_key_reads_words_the_same_way(key, value, words):
    known = {**KNOWN, "name": "a", "nothing": None, "dataset_dir": "$folder()"}
    with pytest.raises(ConfigError) as caught:
        check_keys({key: value}, known)
    assert str(caught.value) == words


def test_what_is_meant_as_it_is_read_passes(tmp_path):
    known = {**KNOWN, "name": "a", "nothing": None, "dataset_dir": "$folder()"}
    check_keys({"name": "$None", "nothing": 3, "dataset_dir": tmp_path, "max_epochs": 2.0, "shuffle": False}, known)
    check_keys({"dataset_dir": "2024", "nothing": [1, 2], "pool_dir": "pool"}, {**known, "pool_dir": None})
    check_keys({"nothing": "@max_epochs"}, known)
