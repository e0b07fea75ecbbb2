# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex

import pytest
from fire.parser import DefaultParseValue

from monai_anomaly.apps.command.overrides import check_overrides, command_line, split_words
from monai_anomaly.utils.exceptions import ConfigError


@pytest.mark.parametrize(
    ("words", "named", "overrides"),
    [
        (["sepiad", "few_normals"], ["sepiad", "few_normals"], {}),
        (["sepiad", "--max-epochs=3", "--seed", "-1"], ["sepiad"], {"max_epochs": "3", "seed": "-1"}),
        (["sepiad", "--resume"], ["sepiad"], {"resume": "True"}),
        (["--resume", "--seed", "1", "sepiad"], ["sepiad"], {"resume": "True", "seed": "1"}),
        (["in", "out", "--dicom"], ["in", "out"], {"dicom": "True"}),
        (["in", "--dicom", "out", "--resume", "false"], ["in", "out"], {"dicom": "True", "resume": "False"}),
        (["--source-names", "in", "--dicom=False"], ["in"], {"source_names": "True", "dicom": "False"}),
        (["--resume", "$@dicom", "in", "--dicom", "None"], ["in"], {"resume": "$@dicom", "dicom": "$None"}),
        (["a", "--train::trainer::amp", "true", "b"], ["a", "b"], {"train::trainer::amp": "True"}),
        (["a", "--seed", "1", "--seed", "2"], ["a"], {"seed": "2"}),
        (["a", "--augment", "null", "--se=false"], ["a"], {"augment": "$None", "se": "False"}),
        (["a", "--max_minutes=None", "--policy=$None"], ["a"], {"max_minutes": "$None", "policy": "$None"}),
    ],
)
def test_words_become_names_and_overrides(words, named, overrides):
    assert split_words(words) == (named, overrides)


@pytest.mark.parametrize("word", ["yes", "no", "On", "off"])
def test_other_words_for_true_are_no_path_and_refused(word):
    named, overrides = split_words(["in", "--dicom", word])
    assert named == ["in"]
    with pytest.raises(ConfigError, match="--dicom must be True or False"):
        check_overrides(overrides, {"dicom": False})


@pytest.mark.parametrize("word", ["-x", "--", "--=3"])
def test_what_is_no_option_is_refused(word):
    with pytest.raises(ConfigError, match="keys begin with --"):
        split_words(["sepiad", word])


@pytest.mark.parametrize(
    "folder", ["2024", "2024_01", "a,b", "a#b", "[1]", "1e3", "plain", "/abs/with space", "~/x", "0x"]
)
def test_a_path_stays_a_text_for_the_one_who_reads_the_line(folder):
    _, overrides = split_words(["--dataset_dir", folder])
    assert DefaultParseValue(overrides["dataset_dir"]) == folder


def test_a_mistake_names_the_nearest_key():
    with pytest.raises(ConfigError, match="nearest known is 'max_epochs'"):
        check_overrides({"max_epoch": "3"}, {"max_epochs": 1})


def test_tracking_has_keys_of_its_own():
    check_overrides({"tracking": "mlflow", "run_name": "a"}, {"max_epochs": 1})
    with pytest.raises(ConfigError, match="run_name"):
        check_overrides({"run_name": "a"}, {"max_epochs": 1})


@pytest.mark.parametrize("word", ["plain", "['a','b']", "$None", "it's $5", "a b", '"', "back\\slash's", "!"])
def test_a_printed_line_is_read_by_a_shell_as_it_was(word):
    assert shlex.split(command_line(["python", word])) == ["python", word]
