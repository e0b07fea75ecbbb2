# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.acceptance.limits import default_text
from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.command.verbs import accept


@pytest.fixture
def told(monkeypatch):
    """Return what tests would have been run with."""
    collected = []
    monkeypatch.setattr(accept, "_run", lambda *given, **more: collected.append((given, more)) or 0)
    return collected


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return the working directory, with a checkpoint and a folder."""
    (tmp_path / "normals").mkdir()
    (tmp_path / "sepiad" / "models").mkdir(parents=True)
    (tmp_path / "sepiad" / "models" / "model.pt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_default_limits_are_printed(capsys):
    assert main(["accept", "--print_limits"]) == 0
    assert capsys.readouterr().out == default_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "accept needs a folder of normal images"),
        (["normals"], "name one with --checkpoint MODEL.pt or --bundle BUNDLE"),
        (["normals", "--checkpoint", "sepiad/models/model.pt"], "name one with --output_dir OUT"),
    ],
)
def test_too_few_words(words, sentence, place, told, capsys):
    assert main(["accept", *words]) == 2
    assert sentence in capsys.readouterr().err and told == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["norm"], "there is no folder of images 'norm'"),
        (["normals", "--abnormal", "x"], "there is no folder of images 'x'"),
        (["normals", "--calibration", "x"], "there is no calibration 'x'"),
        (["normals", "--limits", "x"], "--limits: there is no 'x'"),
        (["normals", "--checkpoint", "x"], "there is no trained detector 'x'"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_imported(words, sentence, place, told, capsys):
    assert main(["accept", *words, "--bundle", "sepiad"]) == 1
    assert sentence in capsys.readouterr().err and told == []


def test_an_unknown_option_and_a_rule_that_is_none(place, capsys):
    for words in (["--abnormals", "x"], ["--aggregate", "least"], ["--frames", "some"], ["--device", "tpu"]):
        with pytest.raises(SystemExit) as error:
            main(["accept", "normals", *words])
        assert error.value.code == 2 and words[0] in capsys.readouterr().err


def test_a_bundle_says_where_weights_are_and_results_go(place, told, monkeypatch):
    assert main(["accept", "normals", "--abnormal", "normals", "normals", "--bundle", "sepiad"]) == 0
    ((normals, abnormal, weights, calibration, limits, output), reading) = told[0]
    assert (normals, abnormal, calibration) == ("normals", ["normals", "normals"], None)
    assert (weights, output.as_posix()) == ("sepiad/models/model.pt", "sepiad/output/acceptance")
    assert limits.is_default and reading == {"device": None, "frames": None, "aggregate": "max"}
