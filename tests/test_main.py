# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from monai_anomaly.__main__ import main
from tests.helpers.repository import ROOT

SCRIPT = """
import contextlib, io, json, sys
from monai_anomaly.__main__ import main

for words in {lines!r}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    heavy = sorted({{"monai", "torch", "numpy", "pydicom"}} & set(sys.modules))
    print(json.dumps([code, out.getvalue(), err.getvalue(), heavy]))
"""
"""Runs command lines one after the other; says how each ended, and which heavy packages were imported by then."""


def ends_of(*lines: list[str]) -> list[list]:
    """Return exit code, what was printed, errors and heavy packages, of each of some command lines."""
    script = SCRIPT.format(lines=lines)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


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
    ((code, printed, _, heavy),) = ends_of(["--help"])
    verbs = (
        "train",
        "evaluate",
        "calibrate",
        "predict",
        "report",
        "export",
        "bundles",
        "inspect",
        "accept",
        "audit",
        "drift",
        "benchmark",
    )
    assert all(f"\n    {verb}" in printed for verb in verbs)
    assert (code, heavy) == (0, [])


MISTAKES = [
    (["trian", "sepiad"], "there is no verb 'trian'; the nearest is 'train'.", 2),
    (["train"], "train needs a bundle: consensus, embedding, ocad, sagan, sepiad, simsid, or a bundle's folder.", 2),
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
]


def test_mistakes_are_one_sentence_before_anything_heavy_is_imported():
    ends = ends_of(*(words for words, _, _ in MISTAKES))
    for (words, sentence, code), end in zip(MISTAKES, ends, strict=True):
        assert end == [code, "", f"error: {sentence}\n", []], words
