# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys

import pytest

from monai_anomaly.__main__ import main
from tests.helpers.repository import ROOT

LOADED = "import runpy, sys\nsys.argv = ['x', *{words!r}]\ntry:\n    runpy.run_module('monai_anomaly', run_name='__main__')\nexcept SystemExit as e:\n    print(e.code, {{'monai', 'torch', 'numpy', 'pydicom'}} & set(sys.modules))\n"  # noqa: E501
"""Runs the command and says how it ended and what of the heavy packages it imported."""


def end_of(*words: str) -> subprocess.CompletedProcess[str]:
    script = LOADED.format(words=words)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)


@pytest.mark.parametrize("arguments", [["benchmark", "--max_minutes=0"], ["inspect"]])
def test_senseless_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: monai-anomaly" in capsys.readouterr().err


def test_without_words_it_prints_its_help(capsys):
    assert main([]) == 2
    assert "usage: monai-anomaly" in capsys.readouterr().out


def test_help_names_the_verbs_without_importing_monai():
    done = end_of("--help")
    verbs = ("train", "evaluate", "calibrate", "predict", "bundles", "inspect", "benchmark")
    assert all(f"\n    {verb}" in done.stdout for verb in verbs)
    assert done.stdout.splitlines()[-1] == "0 set()"


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["trian", "sepiad"], "there is no verb 'trian'; the nearest is 'train'.", 2),
        (["train"], "train needs a bundle: ocad, sagan, sepiad, simsid, or a bundle's folder.", 2),
        (["predict"], "predict takes an image or a folder and one for the results, got 0 words.", 2),
        (
            ["predict", "bundles"],
            "predict needs a trained detector: name one with --checkpoint MODEL.pt or --bundle BUNDLE.",
            2,
        ),
        (["train", "sepiat"], "there is no bundle 'sepiat'; the nearest is 'sepiad'.", 1),
        (["train", "./docs"], "'./docs' is no bundle: it has no configs/train.json and configs/metadata.json.", 1),
        (
            ["train", "sepiad", "few_normal"],
            "the bundle 'sepiad' has no overlay 'few_normal'; the nearest is 'few_normals', and keys begin with --.",
            1,
        ),
        (
            ["train", "sepiad", "--max_epoch", "3"],
            "--max_epoch: the configuration has no key 'max_epoch'; the nearest known is 'max_epochs'.",
            1,
        ),
        (["train", "sepiad", "--max_epochs", "ten"], "--max_epochs must be a number, got the text 'ten'.", 1),
        (["train", "sepiad", "--dataset_dir", "/no/where"], "--dataset_dir: there is no '/no/where'.", 1),
        (["predict", "/no/where", "--bundle", "sepiad"], "there is no image or folder '/no/where'.", 1),
        (["predict", "docs", "--checkpoint", "no.pt"], "--checkpoint: there is no 'no.pt'.", 1),
        (
            ["evaluate", "sepiad", "--checkpoint=no.pt"],
            "there is no trained detector 'no.pt': make one with 'monai-anomaly train sepiad', or name one with "
            "--checkpoint.",
            1,
        ),
    ],
)
def test_mistakes_are_one_sentence_before_anything_heavy_is_imported(words, sentence, code):
    done = end_of(*words)
    assert done.stderr == f"error: {sentence}\n"
    assert done.stdout == f"{code} set()\n"
