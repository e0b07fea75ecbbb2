# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Lines that make no sense, or name what is not there: one sentence, an exit code, and nothing is run."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from monai_anomaly.apps.command import bundle_run, bundle_verbs, completion
from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.command.verbs import export, predict
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.repository import ROOT


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """Return the lines that verbs would have run; they are told from the repository's root."""
    collected: list[list[str]] = []
    for module in (bundle_verbs, predict):
        monkeypatch.setattr(module, "run_line", lambda words, **_: collected.append(list(words)) or 0)
    monkeypatch.chdir(ROOT)
    return collected


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("predict", 2, "predict takes an image or a folder and one for the results, got 0 words"),
        ("predict docs", 2, "needs a trained detector: name one with --checkpoint MODEL.pt or --bundle BUNDLE"),
        ("predict nowhere --bundle sepiad", 1, "there is no image or folder 'nowhere'"),
        ("predict docs --checkpoint none.pt", 1, "--checkpoint: there is no 'none.pt'"),
        ("predict docs --bundle sepiat", 1, "there is no bundle 'sepiat'; the nearest is 'sepiad'"),
        ("predict docs --bundle sepiad --checkpoint none.pt", 1, "there is no trained detector 'none.pt'"),
        ("train", 2, "train needs a bundle: "),
        ("train ./docs", 1, "'./docs' is no bundle: it has no configs/train.json"),
        ("train zzzzz", 1, "there is no bundle 'zzzzz'; there are consensus"),
        ("train sepiad few_normal", 1, "no overlay 'few_normal'; the nearest is 'few_normals'"),
        ("train sepiad zzzzz", 1, "no overlay 'zzzzz'; it has "),
        ("train sepiad --max_epoch 3", 1, "--max_epoch: the configuration has no key 'max_epoch'; the nearest"),
        ("train sepiad --dataset_dir nowhere", 1, "--dataset_dir: there is no 'nowhere'"),
        ("train sepiad -x", 1, "'-x' is no option"),
        ("evaluate sepiad ocad", 1, "evaluate takes one bundle, got 'ocad' too"),
        ("evaluate sepiad --checkpoint none.pt", 1, "there is no trained detector 'none.pt'"),
        ("export", 2, "export needs a checkpoint or a bundle (consensus, "),
        ("export a.pt b.pt2 c", 2, "takes a new file; got 3 words"),
        ("export sepiad --seed 1", 2, "export knows no --seed; it takes --format"),
        ("export sepiad", 2, "export needs --format "),
        ("export sepiad --format gif", 2, "export needs --format "),
        ("export sepiad out.ts --format onnx", 2, "'out.ts' must end with .onnx"),
        ("export none.pt --format ts", 1, "there is no checkpoint 'none.pt'"),
        ("export none.pt out.ts --checkpoint a.pt", 1, "'none.pt' and --checkpoint are the same"),
        ("export sepiad --format ts --checkpoint none.pt", 1, "there is no trained detector 'none.pt'"),
        ("trian sepiad", 2, "there is no verb 'trian'; the nearest is 'train'"),
        ("zzzzzzzz", 2, "there is no verb 'zzzzzzzz'; there are train, "),
        ("consensus a.pt out", 2, "consensus needs 2 trained detectors or more and a folder, got 2 words"),
        ("consensus a.pt b.pt out --members x", 2, "'a.pt' and --members are the same"),
        ("consensus a.pt b.pt out --rule mean", 1, "--rule must be one of maximum, fisher"),
        ("consensus a.pt b.pt out --dataset_dir docs", 1, "there is no trained detector 'a.pt'"),
    ],
)
def test_one_sentence_says_what_is_wrong(line, code, sentence, lines, capsys):
    assert main(line.split()) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert lines == []


def test_a_consensus_needs_normals_and_overwrites_no_folder(tmp_path, lines, capsys):
    models = [str(tmp_path / name) for name in ("a.pt", "b.pt")]
    for model in models:
        open(model, "w").close()
    assert main(["consensus", *models, str(tmp_path / "out")]) == 2
    assert "needs --dataset_dir: normals that the members were not trained on" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    assert main(["consensus", *models, str(tmp_path / "out"), "--dataset_dir", "docs"]) == 1
    assert "exists already and is no consensus" in capsys.readouterr().err and lines == []
    assert main(["consensus", *models, str(tmp_path / "new"), "--rule", "fisher", "--dataset_dir", "docs"]) == 0
    config = json.loads((tmp_path / "new" / "configs" / "train.json").read_text())
    assert config["members"] == models and config["rule"] == "fisher"
    assert "--dataset_dir" in lines.pop()


def test_weights_say_which_bundle_made_them(tmp_path, lines, capsys):
    model = write_model(tmp_path, guard=False)
    calibrate(model)
    assert main(["predict", "docs", "--checkpoint", str(model)]) == 0
    assert "bundles/sepiad/configs/inference.json" in lines.pop()
    content = torch.load(model, weights_only=True)
    content["spec"]["detector"] = "Stranger"
    torch.save(content, model)
    assert main(["predict", "docs", "--checkpoint", str(model)]) == 1
    assert "is of a Stranger, which no bundle here makes; give --bundle" in capsys.readouterr().err and not lines


def test_what_only_the_run_can_compute_is_left_to_it(lines):
    words = ["predict", "docs", "--bundle", "sepiad", "--checkpoint", "$'a' + '.pt'"]
    assert main(words) == 0 and lines.pop()[-1] == "$'a' + '.pt'"


def test_onnx_is_asked_for_by_name_where_it_is_missing(tmp_path, lines, capsys, monkeypatch):
    model = write_model(tmp_path, guard=False)
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    assert main(["export", "sepiad", "--format", "onnx", "--checkpoint", str(model)]) == 1
    assert "pip install 'monai_anomaly[onnx]'" in capsys.readouterr().err and not lines


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("monai-anomaly ", []),
        ("monai-anomaly tr", []),
        ("monai-anomaly train sepiad --max_e", ["train", "sepiad"]),
        ("monai-anomaly train  sepiad ", ["train", "sepiad"]),
    ],
)
def test_the_words_before_the_cursor_are_finished(line, words, monkeypatch):
    assert completion.finished_words({"COMP_LINE": line + "rest", "COMP_POINT": str(len(line))}) == words
    asked: list[object] = []
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    monkeypatch.setitem(
        __import__("sys").modules, "argcomplete", SimpleNamespace(autocomplete=lambda parser, **_: asked.append(parser))
    )
    with pytest.raises(SystemExit):
        main(["--help"])
    (parser,) = asked
    assert ("--max_epochs" in _options(parser, "train")) == bool(words)


def _options(parser, verb: str) -> set[str]:
    (verbs,) = (action for action in parser._actions if hasattr(action, "choices") and action.choices)
    return {option for action in verbs.choices[verb]._actions for option in action.option_strings}


def test_a_line_that_names_no_bundle_is_completed_all_the_same(monkeypatch):
    asked: list[object] = []
    monkeypatch.setenv("COMP_LINE", "monai-anomaly train sepiat --max_e")
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    monkeypatch.setattr("monai_anomaly.apps.command.main.complete", asked.append)
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--max_epochs" not in _options(asked[0], "train")


def test_a_bundle_without_a_card_shows_its_plain_values(tmp_path, capsys):
    assert main(["bundles", "copy", "sepiad", str(tmp_path / "mine")]) == 0
    (tmp_path / "mine" / "docs" / "README.md").unlink()
    with pytest.raises(SystemExit):
        main(["predict", "--bundle", str(tmp_path / "mine"), "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "--dicom [True|False] default: false" in printed and "--maps VALUE default: " in printed


def test_places_are_told_to_a_bundle_that_does_not_find_itself(tmp_path, monkeypatch):
    bundle = bundle_run.Bundle(ROOT / "bundles" / "sepiad")
    assert bundle_run.places(bundle, ("output_dir",), {}) == {}
    assert bundle_run.places(bundle, ("output_dir",), {"bundle_root": "x"}) == {}
    monkeypatch.chdir(tmp_path)
    assert bundle_run.places(bundle, ("output_dir",), {}) == {"bundle_root": bundle.folder.as_posix()}


def test_an_error_of_a_verb_is_a_sentence_and_exit_1(monkeypatch, capsys):
    def fail(**_: object) -> int:
        raise ConfigError("what is wrong.")

    monkeypatch.setattr("monai_anomaly.apps.benchmark.run_benchmark.run_benchmark", fail)
    assert main(["benchmark", "--bundles", "sepiad", "--max_minutes", "1", "--output_dir", "x"]) == 1
    assert capsys.readouterr().err == "error: what is wrong.\n"
