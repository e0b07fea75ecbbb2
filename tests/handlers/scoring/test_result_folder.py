# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Results of one run or of the other, and never of both, wherever the moving ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_anomaly.handlers.scoring import result_folder
from monai_anomaly.handlers.scoring.result_folder import ResultFolder

FILES = ("table.csv", "page.html")
N_RENAMES = 8
"""Marker, folder and two files out of the way, and as many into their place."""


class Killed(BaseException):
    """What no handler of ours catches."""


def _folder(output_dir: Path) -> ResultFolder:
    return ResultFolder(output_dir, "marker", files=FILES, folders=("maps",), is_ours=lambda name: name.startswith("0"))


def _make(output_dir: Path, text: str, n_maps: int = 2) -> ResultFolder:
    """Write the results of a run, not published yet; each file holds the run's word."""
    folder = _folder(output_dir)
    folder.begin()
    for name in ("marker", *FILES, *(f"maps/0{number}" for number in range(n_maps))):
        (folder.path / name).write_text(text)
    return folder


def _content(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*") if file.is_file()}


def _results(text: str, n_maps: int = 2) -> dict[str, str]:
    return dict.fromkeys(("marker", *FILES, *(f"maps/0{number}" for number in range(n_maps))), text)


def _stop_at(monkeypatch, number: int, error: BaseException) -> None:
    rename, calls = os.rename, []

    def counted(source, target):
        calls.append(source)
        if len(calls) == number:
            raise error
        rename(source, target)

    monkeypatch.setattr(result_folder.os, "rename", counted)


def test_the_results_of_a_run_replace_those_before_and_leave_what_others_put_there(tmp_path):
    _make(tmp_path, "old", n_maps=3).publish()
    assert _content(tmp_path) == _results("old", 3)
    (tmp_path / "maps" / "mine.txt").write_text("mine")
    (tmp_path / "note.txt").write_text("mine")
    new = _make(tmp_path, "new")
    assert _content(tmp_path).items() > _results("old", 3).items()  # until it is published
    new.publish()
    mine = {"maps/mine.txt": "mine", "note.txt": "mine"}
    assert _content(tmp_path) == _results("new") | mine
    _make(tmp_path, "no maps", n_maps=0).publish()
    assert _content(tmp_path) == _results("no maps", 0) | mine
    os.remove(tmp_path / "maps" / "mine.txt")
    _make(tmp_path, "no maps", n_maps=0).publish()
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize("number", range(1, N_RENAMES + 1))
def test_a_kill_within_the_moving_leaves_no_mixture_and_the_next_run_finishes_it(tmp_path, monkeypatch, number):
    _make(tmp_path, "old").publish()
    (tmp_path / "maps" / "mine.txt").write_text("mine")
    new = _make(tmp_path, "new")
    _stop_at(monkeypatch, number, Killed())
    with pytest.raises(Killed):
        new.publish()
    monkeypatch.undo()
    there = _content(tmp_path)
    assert number == 1 or "marker" not in there  # who waits for it sees nothing that is not complete
    assert sorted(text for text in there.values() if text != "mine") == ["new"] * 5 + ["old"] * 5
    _folder(tmp_path).recover()
    assert _content(tmp_path) == _results("new") | {"maps/mine.txt": "mine"}


def test_a_kill_while_old_results_are_removed_costs_nothing(tmp_path, monkeypatch):
    _make(tmp_path, "old").publish()
    (tmp_path / "maps" / "mine.txt").write_text("mine")
    new = _make(tmp_path, "new")
    monkeypatch.setattr(result_folder.shutil, "rmtree", lambda path: exit())
    _stop_at(monkeypatch, N_RENAMES + 1, Killed())
    with pytest.raises(Killed):
        new.publish()
    monkeypatch.undo()
    assert _content(tmp_path).items() > _results("new").items()
    _folder(tmp_path).recover()
    assert _content(tmp_path) == _results("new") | {"maps/mine.txt": "mine"}


@pytest.mark.parametrize("number", range(1, N_RENAMES + 1))
def test_an_error_within_the_moving_takes_it_back(tmp_path, monkeypatch, number):
    """As a table that is open in a spreadsheet of Windows gives it."""
    _make(tmp_path, "old").publish()
    new = _make(tmp_path, "new")
    before = _content(tmp_path)
    _stop_at(monkeypatch, number, PermissionError(13, "Permission denied"))
    with pytest.raises(RuntimeError, match=r"cannot take the place of the earlier ones \(Permission denied\)"):
        new.publish()
    monkeypatch.undo()
    assert _content(tmp_path) == before
    _folder(tmp_path).recover()
    assert _content(tmp_path) == _results("new")


def test_runs_that_did_not_come_to_their_end_are_found_the_latest_first(tmp_path):
    assert _folder(tmp_path / "none").partials() == []
    folders = [_folder(tmp_path).begin() for _ in range(11)]
    (tmp_path / "partial-x").mkdir()
    (tmp_path / "partial-99").write_text("a file")
    found = _folder(tmp_path)
    found.recover()
    assert found.partials() == folders[::-1] and folders[-1].name == "partial-11"
    found.discard()
    assert sorted(os.listdir(tmp_path)) == ["partial-99", "partial-x"]
