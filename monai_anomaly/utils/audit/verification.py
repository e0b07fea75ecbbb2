# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether an audit log is whole, and what is in it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_anomaly.utils.audit.head import Head, head_path, read_head
from monai_anomaly.utils.audit.lines import FORMAT, GENESIS, LONGEST_LINE, is_genuine, key_id, line_digest, read_line
from monai_anomaly.utils.exceptions import AuditError

__all__ = ["Verification", "find_logs", "parse_anchor", "verify_log"]


@dataclass
class Verification:
    """What was found of one log.

    Args:
        path: the log.
        files: how many it is in.
        lines: good ones, up to the first bad one.
        digest: of the last of them.
        first: time of the first line.
        last: time of the last one.
        operators: lines by who wrote them.
        decisions: by the weights' digest and the decision, or the status where there is none.
        repairs: times that a torn or unknown end was taken up after a kill.
        finding: where the log is not whole, and how; empty for a whole one.
        notes: what is to be known of a whole one.
    """

    path: Path
    files: int = 0
    lines: int = 0
    digest: str = GENESIS
    first: str = ""
    last: str = ""
    operators: Counter[str] = field(default_factory=Counter)
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    repairs: int = 0
    finding: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Number and digest of the last line, to be kept elsewhere: a later check can hold the log against it."""
        return f"{self.lines}:{self.digest}"


def find_logs(path: Path) -> list[Path]:
    """Return the logs that a path names: a log, or those of a folder, also one of which only the head is left.

    Raises:
        AuditError: where there is none.
    """
    if path.is_dir():
        heads = {each.with_suffix("") for each in path.glob("*.head")}
        found = sorted(heads | {each for each in path.glob("*.jsonl") if _begins_log(each)})
    else:
        found = [path] if path.is_file() or head_path(path).is_file() or _parts(path) else []
    if not found:
        raise AuditError(f"there is no audit log '{path}'; name the file that a run wrote (audit), or its folder.")
    return found


def parse_anchor(text: str) -> tuple[int, str]:
    """Return number and digest of a line, from ``NUMBER:DIGEST``.

    Raises:
        ValueError: for another form.
    """
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError("an anchor is NUMBER:DIGEST, as an earlier 'audit verify' printed it")
    return int(number), digest


def verify_log(path: Path, key: bytes | None, anchor: tuple[int, str] | None = None) -> Verification:
    """Check every line of a log, in all its files, and its head; stops at the first line that is wrong.

    Args:
        path: the log.
        key: the site's key; None checks the chain alone, which an editor of the file can make anew.
        anchor: number and digest of a line that the log must have.

    Raises:
        AuditError: when the log was written with another key, or cannot be read.
    """
    seen = Verification(path)
    try:
        head = read_head(path, key)
    except AuditError as error:
        head, seen.finding = None, str(error)
    except OSError as error:
        raise AuditError(f"the head of '{path}' cannot be read ({error.strerror}).") from None
    known = {} if anchor is None else {anchor[0]: (anchor[1], "the anchor")}
    if head is not None and head.count:
        known.setdefault(head.count, (head.digest, "the head"))
    for file in [*_parts(path), *([path] if path.is_file() else [])]:
        seen.files += 1
        try:
            wrong = _check_file(file, seen, key, known)
        except OSError as error:
            raise AuditError(f"'{file}' cannot be read ({error.strerror}).") from None
        if wrong:
            seen.finding = f"{file.name} {wrong}"
            return seen
    seen.finding = seen.finding or _check_end(seen, head, anchor)
    return seen


def _check_file(file: Path, seen: Verification, key: bytes | None, known: dict[int, tuple[str, str]]) -> str:
    """Check the lines of a file; return what is wrong, with its place, or an empty text."""
    for number, line in _lines(file):
        if not line.endswith(b"\n"):
            if len(line) > LONGEST_LINE:
                return f"line {number}: it is too long for a line of an audit log"
            seen.notes.append(
                f"{file.name} ends in {len(line)} bytes of a line that was never finished: a run was killed, or is "
                "writing; the next one cuts them off and says so in the log"
            )
            return ""
        line = line[:-1]
        try:
            content = read_line(line)
        except ValueError as error:
            return f"line {number}: it was edited or damaged ({error})"
        wrong = _check_line(content, seen, key)
        if wrong:
            return f"line {number}: {wrong}"
        seen.lines += 1
        seen.digest = line_digest(line)
        _count(content, seen)
        digest, who = known.get(seen.lines, ("", ""))
        if digest not in ("", seen.digest):
            return f"line {number}: it is not the line {seen.lines} that {who} knows: the log was written anew"
    return ""


def _check_line(content: dict[str, Any], seen: Verification, key: bytes | None) -> str:
    number, expected = content.get("seq"), seen.lines + 1
    if expected == 1 and number == 1:
        if content.get("format") != FORMAT:
            raise AuditError(f"'{seen.path}' is not an audit log of this package.")
        if key is not None and content.get("key") != key_id(key):
            raise AuditError(
                f"the audit log '{seen.path}' was written with another key than this site's: name its key file in "
                "$MONAI_ANOMALY_KEY_FILE, or check the chain alone with --chain-only."
            )
    if key is not None and not is_genuine(content, key):
        return "it was edited, or written without the site's key"
    if not isinstance(number, int) or number < expected:
        return f"it is out of its place: its number is {number!r}, and {expected} was expected"
    if number > expected:
        return f"{_span(expected, number - 1)} before it missing"
    if content.get("previous") != seen.digest:
        return "the line before it was edited, or replaced"
    return ""


def _check_end(seen: Verification, head: Head | None, anchor: tuple[int, str] | None) -> str:
    wanted = max(head.count if head else 0, anchor[0] if anchor else 0)
    if wanted > seen.lines:
        return f"the end was cut: {_span(seen.lines + 1, wanted)} missing"
    if head is None:
        return f"'{head_path(seen.path).name}' is missing: nothing says whether lines at the end were cut"
    if head.count < seen.lines:
        seen.notes.append(
            f"{seen.lines - head.count} lines at the end are newer than the head: a run was killed, or is writing"
        )
    return ""


def _count(content: dict[str, Any], seen: Verification) -> None:
    seen.first = seen.first or str(content.get("time"))
    seen.last = str(content.get("time"))
    seen.operators[str(content.get("who"))] += 1
    seen.repairs += content.get("event") == "repair"
    if content.get("event") == "result":
        seen.decisions[str(content.get("weights")), str(content.get("decision") or content.get("status"))] += 1


def _span(first: int, last: int) -> str:
    return f"line {first} is" if first == last else f"lines {first} to {last} are"


def _parts(path: Path) -> list[Path]:
    """Return the files of a log that are full, in order."""
    numbered = re.compile(re.escape(path.name) + r"\.(\d+)")
    found = [(int(match[1]), each) for each in _siblings(path) if (match := numbered.fullmatch(each.name))]
    return [each for _, each in sorted(found)]


def _siblings(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []


def _begins_log(path: Path) -> bool:
    """Return whether a file's first line is that of a log."""
    try:
        line = next((text for _, text in _lines(path)), b"")
        return "previous" in read_line(line.rstrip(b"\n"))
    except (OSError, ValueError):
        return False


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, none much longer than the longest that there is."""
    number = 0
    with open(os.fspath(path), "rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            yield number, line
