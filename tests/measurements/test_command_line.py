# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import argparse

import pytest

from measurements.command_line import add_overrides, override, run_measurement
from monai_anomaly.utils.exceptions import ConfigError, TrainingError


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("batch_size=4", ("batch_size", 4)),
        ("device=cpu", ("device", "cpu")),
        ("weights=", ("weights", "")),
        ("rule=a=b", ("rule", "a=b")),
        ("channels=[4, 8]", ("channels", [4, 8])),
    ],
)
def test_an_override_is_json_where_it_is_some(text, pair):
    assert override(text) == pair


def test_overrides_add_up():
    parser = argparse.ArgumentParser()
    add_overrides(parser, "train")
    assert parser.parse_args([]).train == []
    assert parser.parse_args(["--train", "a=1", "--train=b=x"]).train == [("a", 1), ("b", "x")]


@pytest.mark.parametrize("error", [ConfigError("name another folder."), TrainingError("name another folder.")])
def test_an_error_that_explains_itself_is_a_sentence(error, capsys):
    def measure(**options):
        raise error

    assert run_measurement(measure, rounds=1) == 1
    assert capsys.readouterr().err == "error: name another folder.\n"


def test_a_measurement_gets_its_options():
    assert run_measurement(dict, rounds=1) == 0
    with pytest.raises(TypeError):
        run_measurement(lambda rounds: None, images=1)
