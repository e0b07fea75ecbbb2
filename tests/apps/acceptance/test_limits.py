# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import json

import pytest
import yaml

from monai_anomaly.apps.acceptance.criteria import CRITERIA
from monai_anomaly.apps.acceptance.limits import Limit, default_text, read_limits
from monai_anomaly.utils.exceptions import ConfigError

DEFAULT = yaml.safe_load(default_text())


def changed(*path, value):
    """Return the default limits with one key changed; a value of ... removes it."""
    content = copy.deepcopy(DEFAULT)
    node = content
    for key in path[:-1]:
        node = node[key]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return content


def read(content, folder):
    file = folder / "limits.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_limits(str(file))


def test_the_default_says_something_of_every_criterion():
    limits = read_limits(None)
    assert list(limits.of) == list(CRITERIA) == list(DEFAULT["limits"]) and limits.is_default
    assert limits.of["false_alarms"] == Limit(0.2, "bound") and limits.of["mirrored"] is None
    assert limits.of["calibrated"] == Limit(1.0, "value") and limits.false_alarm_rate == 0.1


def test_yaml_and_json_say_the_same(tmp_path):
    (tmp_path / "limits.yaml").write_text(default_text())
    from_yaml = read_limits(str(tmp_path / "limits.yaml"))
    from_json = read(DEFAULT, tmp_path)
    assert from_yaml.of == from_json.of == read_limits(None).of and not from_json.is_default
    assert from_yaml.sha256 == read_limits(None).sha256 != from_json.sha256


MISTAKES = [
    (changed("limits", "aucs", value=None), "there is no key 'aucs'; the nearest known is 'auc'"),
    (changed("false_alarm_rat", value=1), "the nearest known is 'false_alarm_rate'"),
    (changed("limits", "auc", value=...), "'auc' is missing; for a criterion write null to set no limit"),
    (changed("limits", "auc", value={"most": 0.7, "by": "value"}), "there is no key 'most'"),
    (changed("limits", "auc", value={"least": 0.7}), "'by' is missing"),
    (changed("limits", "auc", value={"least": 0.7, "by": "interval"}), "by must be value or bound, got 'interval'"),
    (changed("limits", "auc", value={"least": 70, "by": "value"}), "least must be from 0 to 1, got 70"),
    (changed("limits", "auc", value={"least": "0.7", "by": "value"}), "least must be a finite number, got '0.7'"),
    (changed("limits", "auc", value={"least": True, "by": "value"}), "least must be a finite number, got True"),
    (changed("limits", "auc", value=0.7), "must be an object with the keys least, by"),
    (changed("limits", "false_alarms", value={"most": 0, "by": "bound"}), "no number of images shows a bound of 0"),
    (changed("limits", "calibrated", value={"required": False}), "required must be true"),
    (changed("limits", "seconds", value={"most": -1}), "most must be from 0, got -1"),
    (changed("false_alarm_rate", value=10), "false_alarm_rate must be above 0 and below 1, got 10"),
    (changed("version", value=2), "version must be 1, got 2"),
    ({**DEFAULT, "limits": dict.fromkeys(CRITERIA)}, "sets no limit at all"),
    ('{"version": 1, "version": 1}', "the key 'version' is there twice"),
    ("[" * 100_000, "cannot be read as JSON"),
    ("[]", "must be an object with the keys version"),
    ('{"version": NaN}', "'false_alarm_rate' is missing"),
]


@pytest.mark.parametrize(("content", "sentence"), MISTAKES, ids=[sentence for _, sentence in MISTAKES])
def test_mistakes_are_named(content, sentence, tmp_path):
    with pytest.raises(ConfigError, match=r"limits\.json") as error:
        read(content, tmp_path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: [", "? [1]\n: 2", "!!python/object/apply:os.getcwd []"])
def test_yaml_that_is_no_plain_object(text, tmp_path):
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        read_limits(str(tmp_path / "limits.yaml"))


def test_files_that_are_not_there_or_no_text(tmp_path):
    with pytest.raises(ConfigError, match="--print_limits"):
        read_limits(str(tmp_path / "none.yaml"))
    (tmp_path / "limits.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_limits(str(tmp_path / "limits.yaml"))
