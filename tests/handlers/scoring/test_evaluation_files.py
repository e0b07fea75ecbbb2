# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files of one evaluation or of the other, and never of both."""

from __future__ import annotations

import os

import pytest

from monai_anomaly.handlers.scoring import evaluation_files, result_folder
from monai_anomaly.handlers.scoring.evaluation_files import put_in_place

TABLE = b'image,score\n"a\nb",1\nc,%b\n'


def _put(folder, word, *, n_images=2):
    put_in_place(folder, metrics=word, scores=TABLE % word, report=word, n_images=n_images)


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _files(word):
    return {"metrics.json": word, "scores.csv": TABLE % word, "report.html": word}


def test_a_later_evaluation_replaces_an_earlier_one(tmp_path):
    for word in (b"1", b"2"):
        _put(tmp_path / "out", word)
        assert _content(tmp_path / "out") == _files(word)


def test_a_table_with_rows_missing_is_an_error_and_leaves_the_earlier_files(tmp_path):
    _put(tmp_path, b"1")
    with pytest.raises(RuntimeError, match=r"scores\.csv' has 2 rows, and 3 images were scored"):
        _put(tmp_path, b"1", n_images=3)
    assert _content(tmp_path) == _files(b"1")


def test_a_full_disk_leaves_the_earlier_files(tmp_path, monkeypatch):
    def full_disk(path, content):
        if path.name == "report.html":
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    _put(tmp_path, b"1")
    monkeypatch.setattr(evaluation_files, "atomic_write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        _put(tmp_path, b"2")
    assert _content(tmp_path) == _files(b"1")


@pytest.mark.parametrize("number", range(1, 7))
def test_a_kill_within_the_moving_leaves_no_mixture(tmp_path, monkeypatch, number):
    rename, calls = os.rename, []

    def killed(source, target):
        calls.append(source)
        if len(calls) == number:
            raise KeyboardInterrupt
        rename(source, target)

    _put(tmp_path, b"1")
    monkeypatch.setattr(result_folder.os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        _put(tmp_path, b"2")
    monkeypatch.undo()
    assert number == 1 or not (tmp_path / "metrics.json").exists()
    _put(tmp_path, b"3")
    assert _content(tmp_path) == _files(b"3")
