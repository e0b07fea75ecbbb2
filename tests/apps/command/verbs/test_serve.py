# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys

import pytest

from monai_anomaly.__main__ import main
from monai_anomaly.apps.node.web.people.tokens import Tokens

SETTINGS = """
folder: kept
detector: {checkpoint: model.pt}
watch: {folder: in}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def served(monkeypatch):
    """Return what would have been served."""
    supervisor = pytest.importorskip("monai_anomaly.apps.node.supervisor")
    collected: list[tuple[object, tuple[str, ...]]] = []
    monkeypatch.setattr(supervisor, "serve", lambda settings, parts: collected.append((settings, parts)))
    return collected


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ("receiver", "worker", "sender", "web")),
        (["--only", "worker"], ("worker",)),
        (["--only=web,sender"], ("web", "sender")),
    ],
)
def test_the_parts_that_are_named_are_served(file, served, words, parts):
    assert main(["serve", str(file), *words]) == 0
    ((settings, given),) = served
    assert given == parts and settings.detector.checkpoint == file.with_name("model.pt")


def test_checked_settings_serve_nothing(file, served, capsys):
    assert main(["serve", str(file), "--check"]) == 0
    assert capsys.readouterr().out == "the settings are good.\n" and not served


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        (SETTINGS, ["--only", "worker,wokers"], "--only: there is no part 'wokers'; there are receiver, worker,"),
        (SETTINGS, ["--new-token", "rita", "reader"], "--new-token needs the setting 'web.tokens_file'"),
        (SETTINGS + "web: {tokens_file: t.yaml}", ["--new-token", "rita", "king"], "is one of reader, admin, sender"),
        (SETTINGS + "webb: {}", [], "there is no setting 'webb'; the nearest is 'web'"),
    ],
)
def test_what_cannot_be_is_one_sentence(file, served, capsys, text, words, sentence):
    file.write_text(text)
    assert main(["serve", str(file), *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and sentence in said and not served


def test_a_new_token_is_printed_once_and_opens(file, served, capsys):
    file.write_text(SETTINGS + "web: {tokens_file: t.yaml}")
    assert main(["serve", str(file), "--new-token", "rita", "admin"]) == 0
    token = capsys.readouterr().out.strip()
    entry = Tokens(file.with_name("t.yaml")).find(token)
    assert entry is not None and (entry.name, entry.role) == ("rita", "admin") and not served


def test_without_the_extra_it_is_said_what_to_install(file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for name in [
        name for name in sys.modules if name.startswith("monai_anomaly.apps.node.") and "configuration" not in name
    ]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["serve", str(file)]) == 1
    assert "needs the extra 'node'" in capsys.readouterr().err
