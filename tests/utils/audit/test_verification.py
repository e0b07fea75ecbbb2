# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a check of an audit log finds, with and without the key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_anomaly.utils.audit.lines import canonical, line_digest, sealed_line
from monai_anomaly.utils.audit.verification import find_logs, parse_anchor, verify_log
from monai_anomaly.utils.exceptions import AuditError
from tests.utils.audit.test_audit_log import KEY, make_log

Lines = list[bytes]
OTHER = b"f" * 32


def rewritten(lines: Lines, key: bytes) -> Lines:
    """Lines whose numbers, digests and seals are made anew, as an editor would who knows how."""
    made: Lines = []
    for line in lines:
        content = {name: value for name, value in json.loads(line).items() if name != "mac"}
        previous = hashlib.sha256(made[-1]).hexdigest() if made else "0" * 64
        made.append(sealed_line({**content, "seq": len(made) + 1, "previous": previous}, key))
    return made


def edited(lines: Lines) -> Lines:
    return [line.replace(b"image 1", b"image 9") for line in lines]


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (edited, "a.jsonl line 3: it was edited, or written without the site's key"),
        (lambda lines: rewritten(edited(lines), OTHER), "line 1: it was edited, or written without the site's key"),
        (lambda lines: [*lines[:1], *rewritten(edited(lines), OTHER)[1:]], "line 2: it was edited, or written without"),
        (lambda lines: lines[:2] + lines[3:], "line 3: line 3 is before it missing"),
        (lambda lines: lines[:2] + lines[4:], "line 3: lines 3 to 4 are before it missing"),
        (lambda lines: lines[1:], "line 1: line 1 is before it missing"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "line 3: it is out of its place: its number is 2"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "line 3: line 3 is before it missing"),
        (lambda lines: lines[:-1], "the end was cut: line 6 is missing"),
        (lambda lines: lines[:-3], "the end was cut: lines 4 to 6 are missing"),
        (lambda lines: [], "the end was cut: lines 1 to 6 are missing"),
        (lambda lines: [lines[0], b" " + lines[1], *lines[2:]], "line 2: it was edited or damaged"),
        (lambda lines: [lines[0], b"", *lines[1:]], "line 2: it was edited or damaged"),
        (lambda lines: [lines[0], b"[" * 9999, *lines[1:]], "line 2: it was edited or damaged"),
        (lambda lines: [lines[0], b"x" * (1 << 21), *lines[1:]], "line 2: it is too long"),
    ],
)
def test_the_first_line_that_is_wrong_is_named(tmp_path: Path, harm: Callable[[Lines], Lines], finding: str) -> None:
    path = tmp_path / "a.jsonl"
    make_log(path, 5)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in harm(lines)))
    assert finding in verify_log(path, KEY).finding


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    make_log(path, 2)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert verify_log(path, KEY).finding, place
        except AuditError:  # the key's mark or the format's name in the first line
            assert place < len(whole.splitlines()[0])


def test_a_cut_anywhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    make_log(path, 3)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert "the end was cut" in verify_log(path, KEY).finding


def test_an_editor_without_the_key_can_forge_the_chain_alone(tmp_path: Path) -> None:
    path, head = tmp_path / "a.jsonl", tmp_path / "a.jsonl.head"
    make_log(path, 5)
    lines = rewritten(edited(path.read_bytes().splitlines()), OTHER)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    assert "it is not the line 6 that the head knows" in verify_log(path, None).finding
    content = json.loads(head.read_bytes())
    head.write_bytes(canonical({**content, "digest": line_digest(lines[-1])}) + b"\n")
    assert verify_log(path, None).finding == ""  # what --chain-only warns of
    assert "line 1: it was edited, or written without the site's key" in verify_log(path, KEY).finding


def test_an_older_state_put_back_is_found_with_an_anchor_alone(tmp_path: Path) -> None:
    path, head = tmp_path / "a.jsonl", tmp_path / "a.jsonl.head"
    log = make_log(path, 2)
    older = path.read_bytes(), head.read_bytes()
    log.append("result", image="last")
    anchor = parse_anchor(verify_log(path, KEY).anchor)
    assert verify_log(path, KEY, anchor).finding == ""
    path.write_bytes(older[0])
    head.write_bytes(older[1])
    assert verify_log(path, KEY).finding == ""
    assert verify_log(path, KEY, anchor).finding == "the end was cut: line 4 is missing"


def test_an_anchor_of_another_log_is_found(tmp_path: Path) -> None:
    make_log(tmp_path / "a.jsonl", 2)
    make_log(tmp_path / "b.jsonl", 2)
    anchor = parse_anchor(verify_log(tmp_path / "b.jsonl", KEY).anchor)
    assert "not the line 3 that the anchor knows" in verify_log(tmp_path / "a.jsonl", KEY, anchor).finding
    with pytest.raises(ValueError, match="NUMBER:DIGEST"):
        parse_anchor("3:abc")


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("a.jsonl.2", "a.jsonl.3 line 1: lines"),
        ("a.jsonl.1", "a.jsonl.2 line 1: lines 1 to"),
        ("a.jsonl", "the end was cut"),
        ("a.jsonl.head", "'a.jsonl.head' is missing: nothing says whether lines at the end were cut"),
    ],
)
def test_a_missing_file_is_found(tmp_path: Path, name: str, finding: str) -> None:
    make_log(tmp_path / "a.jsonl", 12, max_bytes=1500)
    (tmp_path / name).unlink()
    assert finding in verify_log(tmp_path / "a.jsonl", KEY).finding


def test_a_folder_names_its_logs(tmp_path: Path) -> None:
    make_log(tmp_path / "a.jsonl", 1)
    make_log(tmp_path / "b.log", 1)
    (tmp_path / "records.jsonl").write_text('{"image":"x"}\n')
    assert find_logs(tmp_path) == [tmp_path / "a.jsonl", tmp_path / "b.log"]
    (tmp_path / "b.log").unlink()
    assert verify_log(find_logs(tmp_path)[1], KEY).finding == "the end was cut: lines 1 to 2 are missing"
    with pytest.raises(AuditError, match="there is no audit log"):
        find_logs(tmp_path / "c.jsonl")
    (tmp_path / "records.jsonl.d").mkdir()
    with pytest.raises(AuditError, match="is not an audit log"):
        make = tmp_path / "made.jsonl"
        make.write_bytes(sealed_line({"seq": 1, "previous": "0" * 64}, KEY) + b"\n")
        verify_log(make, KEY)
