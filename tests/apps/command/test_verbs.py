# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from monai_anomaly.apps.command import bundle_run, bundle_verbs
from monai_anomaly.apps.command.main import RUNNERS, main
from monai_anomaly.apps.command.verbs import predict
from monai_anomaly.utils import bundle_folders
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """Return the lines that verbs would have run."""
    collected: list[list[str]] = []
    for module in (bundle_verbs, predict):
        monkeypatch.setattr(module, "run_line", lambda words, **_: collected.append(list(words)) or 0)
    return collected


@pytest.fixture
def trained(tmp_path):
    """Return a checkpoint by name alone, with an image beside it."""
    for name in ("model.pt", "calibration.json", "image.png"):
        (tmp_path / name).touch()
    return tmp_path / "model.pt"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return the bundles as a wheel installs them, seen from an empty folder."""
    package = tmp_path / "site" / "monai_anomaly"
    ignored = shutil.ignore_patterns("output", "models", "_base")
    shutil.copytree(ROOT / "bundles", package / "bundles", ignore=ignored)
    monkeypatch.setattr(bundle_folders, "PACKAGE", package)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return package / "bundles"


def test_train_in_a_checkout(lines, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["train", "sepiad", "few_normals", "--max_minutes=None"]) == 0
    files = "['bundles/sepiad/configs/train.json','bundles/sepiad/configs/few_normals.json']"
    assert lines == [["run", "training", "--config_file", files, "--max_minutes", "$None"]]


def test_evaluate_and_calibrate(lines, trained, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["evaluate", "ocad", "--checkpoint", str(trained)]) == 0
    assert main(["calibrate", "bundles/ocad", "--checkpoint", str(trained)]) == 0
    told = ["--checkpoint", str(trained)]
    assert lines == [
        ["run", "--config_file", "bundles/ocad/configs/evaluate.json", *told],
        ["run", "calibrate", "--config_file", "bundles/ocad/configs/calibrate.json", *told],
    ]


def test_predict_names_input_and_output(lines, trained, monkeypatch):
    monkeypatch.chdir(ROOT)
    image = str(trained.with_name("image.png"))
    assert main(["predict", image, "out", "--bundle=sepiad", "--checkpoint", str(trained)]) == 0
    options = ["--dataset_dir", image, "--output_dir", "out", "--checkpoint", str(trained)]
    assert lines == [["run", "--config_file", "bundles/sepiad/configs/inference.json", *options]]


def test_predict_asks_for_a_calibration_first(lines, trained, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    trained.with_name("calibration.json").unlink()
    words = ["predict", str(trained.parent), "--bundle", "sepiad", "--checkpoint", str(trained)]
    assert main(words) == 1
    assert "'monai-anomaly calibrate sepiad', or write scores alone with --uncalibrated True" in capsys.readouterr().err
    for switch in (["--uncalibrated", "true"], ["--uncalibrated"]):
        assert main([*words, *switch]) == 0
        assert lines.pop()[-2:] == ["--uncalibrated", "True"] and not lines


@pytest.mark.parametrize("words", ["{0} out --dicom", "{0} --dicom out", "--dicom {0} out", "{0} out --dicom True"])
def test_dicom_is_a_switch_wherever_it_stands(words, lines, trained):
    image = str(trained.with_name("image.png"))
    told = [word.format(image) for word in words.split()]
    assert main(["predict", *told, "--bundle", "sepiad", "--checkpoint", str(trained)]) == 0
    options = dict(zip(lines[0][1::2], lines[0][2::2], strict=True))
    assert (options["--dataset_dir"], options["--output_dir"], options["--dicom"]) == (image, "out", "True")


@pytest.mark.parametrize("operator", [[], ["--operator", ""], ["--operator", " "]])
def test_an_audit_log_needs_an_operator(operator, lines, trained, capsys):
    words = ["predict", str(trained.parent), "--bundle", "sepiad", "--checkpoint", str(trained), "--audit", "a.jsonl"]
    assert main([*words, *operator]) == 2 and not lines
    assert "give --operator NAME beside --audit FILE" in capsys.readouterr().err
    assert main([*words, "--operator", "Ada"]) == 0 and lines[0][-4:] == ["--audit", "a.jsonl", "--operator", "Ada"]


@pytest.mark.parametrize(
    "words", [["in", "out", "more"], ["in", "--dataset_dir", "in"], ["in", "out", "--output_dir", "o"]]
)
def test_predict_takes_each_once(words, lines, capsys):
    assert main(["predict", *words, "--bundle", "sepiad"]) == 2
    assert capsys.readouterr().err.startswith("error: ") and not lines


def test_an_installed_bundle_writes_into_the_working_directory(lines, installed):
    assert main(["train", "sepiad"]) == 0
    root = ["--bundle_root", str(installed / "sepiad")]
    places = ["--output_dir", "sepiad/output", "--ckpt_dir", "sepiad/models"]
    file = str(installed / "sepiad" / "configs" / "train.json")
    assert lines.pop() == ["run", "training", "--config_file", file, *root, *places]
    models = Path("sepiad/models")
    models.mkdir(parents=True)
    (models / "model.pt").touch()
    (models / "calibration.json").touch()
    expected = {
        ("evaluate", "sepiad"): ["--checkpoint", "sepiad/models/model.pt", "--output_dir", "sepiad/output"],
        ("calibrate", "sepiad"): ["--checkpoint", "sepiad/models/model.pt"],
    }
    for words, told in expected.items():
        assert main(list(words)) == 0
        assert lines.pop()[-len([*root, *told]) :] == [*root, *told]
    assert main(["predict", "sepiad", "--bundle", "sepiad"]) == 0
    told = ["--checkpoint", "sepiad/models/model.pt", "--output_dir", "sepiad/output/inference"]
    assert lines.pop()[-8:] == [*root, *told, "--dataset_dir", "sepiad"]


def test_what_the_user_says_of_places_counts(lines, installed):
    assert main(["train", "sepiad", "--output_dir", "mine"]) == 0
    words = lines.pop()
    assert words.count("--output_dir") == 1 and words[-2:] == ["--output_dir", "mine"]
    assert words[words.index("--ckpt_dir") + 1] == "sepiad/models"


def test_a_copy_under_another_name_is_told_where_it_is(lines, installed, capsys):
    assert main(["bundles", "copy", "sepiad", "mine"]) == 0
    assert "monai-anomaly train ./mine" in capsys.readouterr().out
    for word in ("mine", "./mine"):
        assert main(["train", word]) == 0
        file = "mine/configs/train.json"
        assert lines.pop() == ["run", "training", "--config_file", file, "--bundle_root", "mine"]


def test_a_copy_overwrites_nothing(installed, capsys):
    Path("mine").mkdir()
    assert main(["bundles", "copy", "sepiad", "mine"]) == 1
    assert capsys.readouterr().err == "error: 'mine' exists already; name a folder that does not.\n"
    assert not list(Path("mine").iterdir())


def test_a_copy_holds_no_weights(tmp_path, monkeypatch):
    source = tmp_path / "sepiad"
    shutil.copytree(ROOT / "bundles" / "sepiad", source, ignore=shutil.ignore_patterns("output", "models"))
    (source / "models").mkdir()
    (source / "models" / "model.pt").touch()
    assert main(["bundles", "copy", str(source), str(tmp_path / "copy")]) == 0
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["LICENSE", "configs", "docs"]


def test_the_list_says_what_each_bundle_is(installed, capsys):
    assert main(["bundles"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}  0" in printed for name in ("consensus", "embedding", "ocad", "sagan", "sepiad", "simsid"))
    assert "squeeze-and-excitation" in printed and str(installed / "sepiad") in printed


def test_help_of_a_bundle_shows_its_keys(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        main(["train", "sepiad", "few_normals", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "--max_epochs VALUE length of the training, in epochs (default: 6)" in printed
    assert "--augment" in printed and "--pool_dir" not in printed and "--section" not in printed


def test_export_takes_a_bundle_or_a_checkpoint(trained, monkeypatch, capsys):
    told: list[tuple] = []
    monkeypatch.setattr(
        "monai_anomaly.bundle.deliverable.exporting.export_detector",
        lambda checkpoint, path, kind, **more: told.append((checkpoint, path, kind, more["calibration"])),
    )
    monkeypatch.chdir(ROOT)
    beside = trained.with_name("calibration.json")
    assert main(["export", "sepiad", "--format", "ts", "--checkpoint", str(trained)]) == 0
    assert main(["export", str(trained), str(trained.with_name("new.onnx"))]) == 0
    assert main(["export", str(trained), "--format", "pt2", "--uncalibrated", "true"]) == 0
    assert told == [
        (trained, trained.with_suffix(".ts"), "ts", beside),
        (trained, trained.with_name("new.onnx"), "onnx", beside),
        (trained, trained.with_suffix(".pt2"), "pt2", None),
    ]
    assert capsys.readouterr().out.count("with its calibration") == 2


def test_the_line_is_printed_and_then_run(capsys, monkeypatch):
    ran: list[list[str]] = []
    monkeypatch.setattr("runpy.run_module", lambda name, **_: ran.append([name, *bundle_run.sys.argv[1:]]))
    assert bundle_run.run_line(["run", "training", "--max_minutes", "$None"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert shlex.split(line)[:3] == ["python", "-m", "monai.bundle"]
    assert ran == [["monai.bundle", *shlex.split(line)[3:]]]


@pytest.mark.parametrize(
    ("config", "options", "needed"),
    [
        ({"imports": ["$import monai_anomaly.bundle", "$import torch", "$import os"]}, {}, False),
        ({"imports": ["$import monai.handlers"]}, {"tracking": "mlflow"}, True),
        ({"imports": ["$import monai_anomaly", "$import own_networks"]}, {}, True),
        ({"imports": ["$from own import network"]}, {}, True),
    ],
)
def test_a_run_that_may_need_it_gets_all_of_monai(config, options, needed):
    assert bundle_run.needs_all_of_monai(config, options) is needed


def test_an_interrupted_run_has_the_shells_code(monkeypatch):
    def interrupted(words: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(RUNNERS, "train", interrupted)
    assert main(["train", "sepiad"]) == 130


def test_a_failure_of_the_run_is_an_exit_code_and_a_sentence(capsys, monkeypatch):
    def failing(name: str, **_: object) -> None:
        raise ConfigError("what is wrong.")

    monkeypatch.setattr("runpy.run_module", failing)
    assert bundle_run.run_line(["run"]) == 1
    assert capsys.readouterr().err == "error: what is wrong.\n"


def test_versions_and_the_device(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    lines = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert ended.value.code == 0 and lines.keys() == {"monai_anomaly", "MONAI", "torch", "device"}
    assert lines["device"].startswith(("cpu", "cuda"))
