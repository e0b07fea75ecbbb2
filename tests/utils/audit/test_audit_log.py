# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A log that is only added to: chained, sealed, rotated, shared by processes, and repaired after a kill."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from monai_anomaly.utils.audit import audit_log
from monai_anomaly.utils.audit.audit_log import AuditLog
from monai_anomaly.utils.audit.verification import verify_log
from monai_anomaly.utils.exceptions import AuditError

KEY = b"0123456789abcdef0123456789abcdef"


def make_log(path: Path, count: int = 3, **options: Any) -> AuditLog:
    log = AuditLog(path, "Ada", key=KEY, **options)
    for number in range(count):
        log.append("result", image=f"image {number}", score=number / 7, decision="normal", weights="ab" * 32)
    return log


def test_a_line_has_the_digest_of_the_one_before_and_the_seal_of_the_key(tmp_path: Path) -> None:
    make_log(tmp_path / "audit.jsonl", 2)
    lines = (tmp_path / "audit.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    previous = "0" * 64
    for number, line in enumerate(lines, 1):
        content = json.loads(line)
        assert (content["seq"], content["previous"], content["who"]) == (number, previous, "Ada")
        previous = hashlib.sha256(line).hexdigest()
        mac = content.pop("mac")
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        assert mac == hmac.new(KEY, b"audit\0" + text, hashlib.sha256).hexdigest()
    assert [json.loads(line)["event"] for line in lines] == ["begin", "result", "result"]


def test_what_is_appended_cannot_pass_for_the_fixed_fields(tmp_path: Path) -> None:
    AuditLog(tmp_path / "a", "Ada", key=KEY).append("result", who="Eve", seq=7, time="never")
    assert json.loads((tmp_path / "a").read_text().splitlines()[1])["who"] == "Ada"
    assert verify_log(tmp_path / "a", KEY).finding == ""


@pytest.mark.parametrize("operator", [None, "", "  ", "a\nb", "x" * 65])
def test_an_operator_needs_a_name(tmp_path: Path, operator: str | None) -> None:
    with pytest.raises(AuditError, match="name the operator in 1 to 64"):
        AuditLog(tmp_path / "a", operator, key=KEY)


def test_the_chain_goes_on_across_files(tmp_path: Path) -> None:
    make_log(tmp_path / "audit.jsonl", 12, max_bytes=1500)
    sizes = [path.stat().st_size for path in tmp_path.glob("audit.jsonl*") if path.suffix not in (".head", ".lock")]
    assert len(sizes) > 3 and max(sizes) <= 1500
    seen = verify_log(tmp_path / "audit.jsonl", KEY)
    assert (seen.finding, seen.files, sum(seen.decisions.values())) == ("", len(sizes), 12)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from monai_anomaly.utils.audit.audit_log import AuditLog
log = AuditLog({path!r}, sys.argv[1], key={key!r}, max_bytes=4000)
for number in range(int(sys.argv[2])):
    log.append("result", image=f"{{sys.argv[1]}} {{number}}", weights="ab" * 32, decision="normal")
    print(number, flush=True)
"""


def start_writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    root = str(Path(audit_log.__file__).parents[3])
    script = WRITER.format(root=root, path=str(path), key=KEY)
    return subprocess.Popen([sys.executable, "-c", script, name, str(count)], stdout=subprocess.PIPE, text=True)


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path / "a.jsonl", name, 10) for name in ("one", "two", "three")]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    seen = verify_log(tmp_path / "a.jsonl", KEY)
    assert seen.finding == "" and sum(seen.decisions.values()) == 30 and seen.repairs == 0


def test_what_was_given_out_before_a_kill_is_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for attempt in range(4):
        writer = start_writer(path, f"run{attempt}", 10000)
        assert writer.stdout is not None
        given = [writer.stdout.readline() for _ in range(5 + attempt)]
        writer.kill()
        given += writer.stdout.readlines()
        writer.wait()
        make_log(path, 1, max_bytes=4000)
        seen = verify_log(path, KEY)
        assert seen.finding == "" and seen.operators[f"run{attempt}"] >= sum(line.endswith("\n") for line in given)


def test_a_torn_line_is_cut_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = make_log(path)
    with open(path, "ab") as file:
        file.write(b'{"decision":"nor')
    assert "never finished" in verify_log(path, KEY).notes[0]
    log.append("result", image="next")
    seen = verify_log(path, KEY)
    assert (seen.finding, seen.repairs, seen.notes) == ("", 1, [])
    repair = json.loads(path.read_text().splitlines()[4])
    assert (repair["event"], repair["torn_bytes"], repair["whole_lines"]) == ("repair", 16, 0)
    assert repair["torn_digest"] == hashlib.sha256(b'{"decision":"nor').hexdigest()


def test_a_whole_line_that_the_head_does_not_know_is_kept_and_said(tmp_path: Path) -> None:
    path, head = tmp_path / "a.jsonl", tmp_path / "a.jsonl.head"
    log = make_log(path)
    before = head.read_bytes()
    log.append("result", image="killed before its head")
    head.write_bytes(before)
    assert "newer than the head" in verify_log(path, KEY).notes[0]
    log.append("result", image="next")
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["begin", "result", "result", "result", "result", "repair", "result"]
    assert verify_log(path, KEY).finding == ""


def test_a_kill_within_a_rotation_is_made_good(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = make_log(path)
    path.rename(tmp_path / "a.jsonl.1")
    log.append("result", image="next")
    seen = verify_log(path, KEY)
    assert (seen.finding, seen.files, seen.lines) == ("", 2, 5)


def added_line(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(path.read_bytes().splitlines()[-1] + b"\n")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes().replace(b"image 2", b"image 7")), "its last line is another"),
        (lambda path: path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:-1])), "at its end are missing"),
        (added_line, "lines were added to it"),
        (lambda path: path.write_bytes(path.read_bytes() + b"{}\n"), "lines were added to it"),
        (lambda path: path.unlink(), "at its end are missing"),
        (lambda path: path.with_name("a.jsonl.head").unlink(), "its head is missing"),
        (lambda path: path.with_name("a.jsonl.head").write_bytes(b"{}\n"), "was edited, or written with another key"),
    ],
)
def test_a_log_that_was_tampered_with_is_not_continued(tmp_path: Path, harm: Any, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    log = make_log(path)
    harm(path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(AuditError, match=reason):
        log.append("result", image="next")
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_full_disk_is_an_error_and_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    log, write, calls = make_log(path), os.write, []

    def fill(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:10])

    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(audit_log.os, "write", fill)
        with pytest.raises(AuditError, match=r"No space left on device.*no result is given out; make room"):
            log.append("result", image="next")
    assert path.read_bytes() == before
    log.append("result", image="next")
    assert verify_log(path, KEY).finding == "" and verify_log(path, KEY).repairs == 0


def test_a_log_that_another_process_holds_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "LONGEST_WAIT", 0.05)
    log = AuditLog(tmp_path / "a.jsonl", "Ada", key=KEY)
    with FileLock(tmp_path / "a.jsonl.lock"), pytest.raises(AuditError, match="held by another process"):
        log.append("result", image="x")
    log.append("result", image="x")
    assert verify_log(tmp_path / "a.jsonl", KEY).lines == 2


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "a.jsonl")
    make_log(tmp_path / "link", 12, max_bytes=1500)
    assert (tmp_path / "link").is_symlink() and verify_log(tmp_path / "there" / "a.jsonl", KEY).files > 3


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is a folder; name a file"):
        AuditLog(tmp_path, "Ada", key=KEY)
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "below" / "a.jsonl", "Ada", key=KEY)
