# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``predict --engine ray`` makes of its words, before anything heavy is imported."""

from __future__ import annotations

import pytest

from monai_anomaly.apps.archive import run_archive
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.command.verbs import predict_archive
from monai_anomaly.data.errors import DataListError
from monai_anomaly.utils import stop_signals
from tests.helpers.doors import calibrate, write_model
from tests.helpers.repository import ROOT


@pytest.fixture
def model(tmp_path):
    path = write_model(tmp_path)
    calibrate(path)
    return path


@pytest.fixture
def runs(monkeypatch):
    """The arguments of the runs that would have been."""
    collected = []
    monkeypatch.setattr(predict_archive, "_run", lambda *arguments: collected.append(arguments) or 0)
    monkeypatch.chdir(ROOT)
    return collected


def ray(model, *words):
    return main(["predict", *words, "--engine", "ray", "--bundle", "sepiad", "--checkpoint", str(model)])


def test_the_bundle_s_values_are_the_defaults(model, runs, tmp_path):
    assert ray(model, "docs", str(tmp_path / "out")) == 0
    checkpoint, calibration = str(model), str(model.with_name("calibration.json"))
    expected = ArchiveOptions(checkpoint, calibration)
    assert runs == [(str(ROOT / "docs"), str(tmp_path / "out"), expected, RunOptions())]


def test_words_are_read_as_they_are_meant(model, runs):
    words = [
        "--workers",
        "3",
        "--shard-size=50",
        "--address",
        "127.0.0.1:6379",
        "--gpus_per_worker",
        "0.25",
        "--resume",
    ]
    words += ["--decode_limit", "None", "--uncalibrated", "--guard", "false", "--frames", "every:4", "--threads", "2"]
    assert ray(model, "s3://bucket/in", "s3://bucket/out", *words) == 0
    ((source, output, options, run),) = runs
    assert (source, output) == ("s3://bucket/in", "s3://bucket/out")
    assert options == ArchiveOptions(
        str(model), uncalibrated=True, guard=False, decode_limit=None, frames="every:4", threads=2
    )
    assert run == RunOptions(3, 50, True, "127.0.0.1:6379", 0.25)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["docs"], 2, "takes IN and OUT, got 1 words"),
        (["nowhere", "out"], 1, "there is no image, list or folder 'nowhere'"),
        (["docs", "out", "--workers", "0"], 1, "--workers must be a whole number from 1, got '0'"),
        (["docs", "out", "--shard_size", "many"], 1, "--shard_size must be a whole number from 1, got 'many'"),
        (["docs", "out", "--workers", "True"], 1, "--workers must be a whole number from 1"),
        (["docs", "out", "--gpus_per_worker", "-1"], 1, "--gpus_per_worker must be a number from 0"),
        (["docs", "out", "--resume", "yes"], 1, "--resume must be True or False, got 'yes'"),
        (["docs", "out", "--worker", "2"], 1, "has no --worker; the nearest is --workers"),
        (["docs", "out", "--zzzz", "2"], 1, "has no --zzzz; leave it out"),
        (["docs", "out", "--audit", "log"], 2, "--engine ray keeps no audit log"),
    ],
)
def test_a_line_that_makes_no_sense_is_one_sentence(model, runs, words, code, sentence, capsys):
    assert ray(model, *words) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and sentence in error
    assert runs == []


@pytest.mark.parametrize(
    ("status", "decision", "code", "sentence"),
    [
        (
            {"scored": 7, "rejected": 2},
            {"normal": 4, "not_applicable": 3},
            0,
            "9 files = 7 scored + 2 rejected + 0 failed",
        ),
        ({"rejected": 9}, {}, 0, "9 files = 0 scored + 9 rejected + 0 failed"),
        ({"failed": 8, "rejected": 1}, {}, 1, "nothing was scored: the network failed on every image"),
    ],
)
def test_what_came_out_is_said(status, decision, code, sentence, model, monkeypatch, tmp_path, capsys):
    summary = {"files": 9, "shards": 1, "status": status, "decision": decision}
    monkeypatch.setattr(run_archive, "run_archive", lambda *_: summary)
    monkeypatch.setattr(stop_signals, "watch_signals", lambda: None)
    assert ray(model, str(tmp_path), str(tmp_path / "out")) == code
    printed = "".join(capsys.readouterr())
    assert sentence in printed and ("3 not applicable" in printed) == bool(decision)


def test_what_ends_a_run_is_one_sentence(model, monkeypatch, tmp_path, capsys):
    def fail(*_):
        raise DataListError("there are no files below the URL to score; correct it.")

    monkeypatch.setattr(run_archive, "run_archive", fail)
    monkeypatch.setattr(stop_signals, "watch_signals", lambda: None)
    assert ray(model, "memory://nothing", str(tmp_path / "out")) == 1
    assert capsys.readouterr().err == "error: there are no files below the URL to score; correct it.\n"


def test_another_engine_is_refused(model, capsys):
    assert main(["predict", "docs", "out", "--engine", "spark", "--bundle", "sepiad"]) == 2
    assert "--engine must be ray" in capsys.readouterr().err


def test_what_is_not_installed_is_named(model, runs, monkeypatch, capsys):
    monkeypatch.setattr(predict_archive, "find_spec", lambda name: None if name == "ray" else name)
    assert ray(model, "docs", "out") == 1
    assert "needs ray: pip install 'monai_anomaly[archive]'" in capsys.readouterr().err
