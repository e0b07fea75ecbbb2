# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from monai.bundle import create_workflow

from monai_anomaly.bundle.command_line import _check_key, _check_type, _check_words
from monai_anomaly.utils.exceptions import ConfigError

CONFIG = {
    "imports": ["$import monai_anomaly", "$import monai_anomaly.bundle"],
    "max_epochs": 3,
    "train": {"trainer": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}, "items": [1, {"a": 2}]},
    "initialize": ["$monai_anomaly.bundle.check_overrides()"],
    "run": ["$print('ran with', @max_epochs)"],
}


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "metadata.json").write_text("{}")
    return path


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
def test_unknown_key_names_the_nearest(config_file, key, nearest):
    with pytest.raises(Exception) as caught:  # MONAI wraps what an expression raises
        create_workflow(config_file=str(config_file), **{key: 1})
    error = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert isinstance(error, ConfigError)
    assert f"--{key}" in str(error) and f"'{nearest}'" in str(error)


@pytest.mark.parametrize("key", ["max_epochs", "train::trainer::bias", "train#trainer#in_features", "train::items::0"])
def test_known_keys_pass(config_file, key):
    create_workflow(config_file=str(config_file), **{key: True})


@pytest.mark.parametrize(
    ("key", "value", "words"), [("shuffle", "false", "True or False"), ("max_epochs", "ten", "a number")]
)
def test_a_text_is_no_switch_and_no_number(key, value, words):
    with pytest.raises(ConfigError, match=f"--{key} must be {words}"):
        _check_type(key, value, {"shuffle": True, "max_epochs": 3})


@pytest.mark.parametrize("word", ["None", "null"])
def test_a_bare_none_would_be_dropped(word):
    with pytest.raises(ConfigError, match=r"--augment .* '\$None'"):
        _check_words(["monai.bundle", "run", "--seed", "1", "--augment", word])
    _check_words(["monai.bundle", "run", "--augment", "$None", "--seed", "1"])


def test_a_list_has_no_such_entry():
    with pytest.raises(ConfigError, match="list of 2"):
        _check_key("items::2", {"items": [1, 2]})


def test_the_command_line_ends_with_one_sentence(config_file):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config_file), "--max_epoch", "4"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last == "error: --max_epoch: the configuration has no key 'max_epoch'; the nearest known is 'max_epochs'."


def test_other_errors_keep_their_traceback_and_name_the_cause(config_file):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config_file)]
    command += ["--max_epochs", "$1/0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert result.stderr.strip().splitlines()[-1] == "the cause: ZeroDivisionError: division by zero"


def test_a_bad_value_of_ours_is_a_sentence_too(tmp_path):
    config = {
        "imports": CONFIG["imports"],
        "size": 64,
        "network": {"_target_": "monai_anomaly.networks.nets.sepiad.sepiad.SEPIAD", "image_size": "@size"},
        "initialize": CONFIG["initialize"],
        "run": ["@network"],
    }
    path = tmp_path / "train.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(path), "--size", "48"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("error: image_size must be one of")
