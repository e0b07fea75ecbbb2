# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``audit verify``, as a person uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_anomaly.__main__ import main
from monai_anomaly.utils.audit.audit_log import AuditLog
from monai_anomaly.utils.identity import KEY_VARIABLE


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "key").write_bytes(b"k" * 32)
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, "Ada")
    for decision in ("normal", "anomalous", "normal"):
        writer.append("result", image="x", decision=decision, weights="ab" * 32)
    writer.append("result", image="y", decision=None, status="rejected", weights="cd" * 32)
    return path


def test_a_whole_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(log.parent)]) == 0
    rows = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
    said = dict(rows)
    assert said["lines"] == "5 good lines" and said["operators"] == "Ada (5)" and said["whole"] == "yes"
    assert [text for name, text in rows if name == "decisions"] == [
        "abababababab: 1 anomalous, 2 normal",
        "cdcdcdcdcdcd: 1 rejected",
    ]
    assert main(["audit", "verify", str(log), "--anchor", said["anchor"].split()[0]]) == 0


def test_an_edited_log_is_exit_3(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(log.read_bytes().replace(b'"anomalous"', b'"normal"'))
    assert main(["audit", "verify", str(log)]) == 3
    assert "NOT WHOLE  audit.jsonl line 3: it was edited" in capsys.readouterr().out


def test_another_key_is_an_error_and_the_chain_can_be_checked_without(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (log.parent / "other").write_bytes(b"o" * 32)
    monkeypatch.setenv(KEY_VARIABLE, str(log.parent / "other"))
    assert main(["audit", "verify", str(log)]) == 1
    assert "another key" in capsys.readouterr().err
    assert main(["audit", "verify", str(log), "--chain-only"]) == 0
    assert "the chain alone" in capsys.readouterr().out


def test_no_log_and_no_action(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(tmp_path)]) == 1
    assert "there is no audit log" in capsys.readouterr().err
    for words in (["audit"], ["audit", "verify", str(tmp_path), "--anchor", "1"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2
