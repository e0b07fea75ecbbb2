# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from monai.bundle import ConfigParser

from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT

CONFIGS = ROOT / "bundles" / "sepiad" / "configs"


@pytest.mark.parametrize("names", [["train"], ["train", "paper"], ["train", "multi_gpu_train"], ["evaluate"]])
def test_a_bundles_configurations_are_merged_as_monai_does(names):
    files = [CONFIGS / f"{name}.json" for name in names]
    assert read_configs(files) == ConfigParser.load_config_files(files)


def test_every_way_to_change_a_key_is_monais(tmp_path):
    first = {"a": 1, "list": [1], "part": {"b": {"c": 1, "d": [1, 2]}, "e": 0}}
    second = {"+list": [2], "part::b::c": 5, "part#b#d#1": 7, "+part": {"f": 1}, "new": None}
    files = []
    for name, content in (("first", first), ("second", second)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(content))
    assert read_configs(files) == ConfigParser.load_config_files(files)


def test_yaml_is_read_too(tmp_path):
    (tmp_path / "own.yaml").write_text("max_epochs: 3\n")
    assert read_configs([tmp_path / "own.yaml"]) == {"max_epochs": 3}


@pytest.mark.parametrize("text", ["{", "[]", "a: [", "\xff"])
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_what_is_no_configuration_is_one_sentence(text, suffix, tmp_path):
    path = tmp_path / f"own.{suffix}"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        read_configs([path])
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="there is no configuration"):
        read_configs([tmp_path / "none.json"])
