# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest
from monai.bundle import create_workflow

from monai_anomaly.utils.exceptions import ConfigError

CONFIG = {
    "imports": ["$import monai_anomaly", "$import monai_anomaly.bundle"],
    "max_epochs": 3,
    "train": {"trainer": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}, "items": [1, {"a": 2}]},
    "initialize": ["$monai_anomaly.bundle.check_overrides()"],
    "training": ["$print('ran with', @max_epochs)"],
    "run": "%training",
}


@pytest.fixture
def config_file(tmp_path):
    """Return a small configuration, with what MONAI looks for beside it."""
    path = tmp_path / "train.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "metadata.json").write_text("{}")
    return path


@pytest.fixture
def bundle_run(config_file, monkeypatch, capfd):
    """Return a function that does what ``python -m monai.bundle`` does and returns what that prints."""

    def run(*words, command="run", config=config_file):
        given = ["--config_file", str(config)] if config else []
        monkeypatch.setattr(sys, "argv", ["", command, *given, *words])
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        try:
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
        except Exception:
            capfd.readouterr()
            sys.excepthook(*sys.exc_info())
        return capfd.readouterr()

    return run


UNKNOWN = "error: --max_epoch: the configuration has no key 'max_epoch'; the nearest known is 'max_epochs'.\n"


@pytest.mark.parametrize(
    "words", [["--max_epoch", "4"], ["training", "--max-epoch=4"], ["--max_epoch", "4", "--", "--trace"]]
)
def test_the_command_line_ends_with_one_sentence(bundle_run, words):
    assert bundle_run(*words).err == UNKNOWN


def test_and_with_an_exit_code(config_file):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config_file), "--max_epoch", "4"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.endswith(UNKNOWN)


def test_so_does_the_other_command_that_runs(bundle_run):
    assert bundle_run("--max_epoch", "4", command="run_workflow").err == UNKNOWN


def test_and_a_workflow_that_checks_by_itself(bundle_run):
    named = ["--workflow_name", "monai_anomaly.bundle.CheckedWorkflow"]
    assert bundle_run("--max_epoch", "4", *named).err == UNKNOWN
    assert "ran with 4" in bundle_run("--max_epochs", "4", *named).out


def test_a_file_of_arguments_is_checked_too(bundle_run, config_file, tmp_path):
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"config_file": str(config_file), "max_epoch": 4}))
    assert bundle_run("--args_file", str(arguments), config=None).err == UNKNOWN


def test_what_the_configuration_knows_runs_once(bundle_run):
    assert bundle_run("training", "--max_epochs", "4").out.count("ran with 4") == 1


@pytest.mark.parametrize(
    ("run_id", "nearest"), [("train", ", the nearest is 'training'"), ("max_epochs", ""), ("initialize", ""), ("x", "")]
)
def test_a_run_id_that_runs_nothing_names_those_that_do(bundle_run, run_id, nearest):
    printed = bundle_run(run_id)
    known = f"'training', 'run'{nearest}"
    assert printed.err == (
        f"error: the run id '{run_id}' runs nothing in this configuration; those that do are {known}.\n"
    )
    assert "ran with" not in printed.out


def test_so_it_does_for_a_workflow_that_checks_by_itself(config_file):
    with pytest.raises(ConfigError, match="'train' runs nothing"):
        create_workflow("monai_anomaly.bundle.CheckedWorkflow", config_file=str(config_file), run_id="train")


@pytest.mark.parametrize("words", [["--help"], ["training", "--help"]])
def test_help_says_where_the_keys_are_explained(config_file, words, bundle_run, capfd):
    with pytest.raises(SystemExit) as ended:
        bundle_run(*words)
    assert ended.value.code == 0
    assert f"monai-anomaly train {config_file.parent.parent} --help" in capfd.readouterr().out


@pytest.mark.parametrize("word", ["None", "null"])
def test_a_bare_none_would_be_dropped(bundle_run, word):
    assert bundle_run("--max_epochs", word).err == (
        f"error: --max_epochs {word} would be ignored: write --max_epochs '$None'.\n"
    )


def test_a_none_that_is_written_out_is_taken(bundle_run):
    assert "ran with None" in bundle_run("--max_epochs", "$None").out


def test_other_errors_keep_their_traceback_and_name_the_cause(bundle_run):
    printed = bundle_run("--max_epochs", "$1/0").err
    assert "Traceback" in printed
    assert printed.splitlines()[-1] == "the cause: ZeroDivisionError: division by zero"


def test_a_bad_value_of_ours_is_a_sentence_too(bundle_run, tmp_path):
    config = {
        "imports": CONFIG["imports"],
        "size": 64,
        "network": {"_target_": "monai_anomaly.networks.nets.sepiad.sepiad.SEPIAD", "image_size": "@size"},
        "initialize": CONFIG["initialize"],
        "run": ["@network"],
    }
    path = tmp_path / "size.json"
    path.write_text(json.dumps(config))
    printed = bundle_run("--size", "48", config=path).err
    assert printed.startswith("error: image_size must be one of") and printed.count("\n") == 1


def test_other_programs_keep_their_way_to_print_errors(config_file, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["a program", "run", "--max_epoch", "4"])
    before = sys.excepthook
    create_workflow(config_file=str(config_file))
    assert sys.excepthook is before
