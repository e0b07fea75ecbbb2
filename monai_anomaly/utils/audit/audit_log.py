# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A log that is only ever added to, of what was decided: each line is on the disk before anybody sees the result."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from monai_anomaly.utils.atomic import sync_folder
from monai_anomaly.utils.audit.head import Head, head_path, read_head, write_head
from monai_anomaly.utils.audit.lines import (
    FORMAT,
    VERSION,
    is_genuine,
    key_id,
    line_digest,
    read_line,
    sealed_line,
)
from monai_anomaly.utils.exceptions import AuditError
from monai_anomaly.utils.identity import site_key

__all__ = ["MAX_BYTES", "AuditLog", "check_operator"]

MAX_BYTES = 64 << 20
"""Size from which on the next file is begun: some 60,000 results."""

LONGEST_WAIT = 60.0
"""Seconds that a line waits for other processes' lines."""

_LONGEST_NAME = 64


def check_operator(operator: str | None) -> str:
    """Return the name of who runs a program, as it stands in the log.

    Raises:
        AuditError: for no name, one of more than 64 characters, or one that cannot be printed in a line.
    """
    name = operator.strip() if isinstance(operator, str) else ""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise AuditError(
            f"an audit log says who ran the program: name the operator in 1 to {_LONGEST_NAME} printable characters."
        )
    return name


class AuditLog:
    """Adds lines to an audit log, from as many threads and processes as there are.

    A line is canonical JSON with ``seq`` (1, 2, ...), ``previous`` (SHA-256 of the line before), ``time`` (UTC),
    ``who``, ``event``, what the event is of, and ``mac`` (HMAC-SHA256 with the site's key). The first line of a log is
    ``begin``. A file that would grow beyond `max_bytes` is renamed to ``NAME.1``, ``NAME.2``, ... and the chain goes on
    in a new one, whose first line is ``continue``. ``NAME.head`` says, sealed with the key, how many lines there are;
    ``NAME.lock`` is held while a line is added.

    After a kill, a torn last line is cut off, and whole ones that the head does not know are kept if they are genuine;
    a line ``repair`` says so. A log that does not end where its head says, for any other reason, is not continued.

    Args:
        path: the log; its folder is made when missing.
        operator: who runs the program.
        key: the seal; None takes the site's key.
        max_bytes: size of a file from which on the next one is begun.

    Raises:
        AuditError: for an operator without a name, or a folder that cannot be made.
        ConfigError: without a site's key.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        operator: str | None,
        *,
        key: bytes | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = Path(os.path.realpath(Path(path).expanduser()))
        self.operator = check_operator(operator)
        self.max_bytes = max_bytes
        self._key = site_key() if key is None else key
        if self.path.is_dir():
            raise AuditError(f"the audit log '{self.path}' is a folder; name a file.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None
        self._lock = FileLock(f"{self.path}.lock", timeout=LONGEST_WAIT)

    def append(self, event: str, **content: Any) -> None:
        """Add a line; it is on the disk when this returns.

        Args:
            event: what happened.
            **content: plain values that describe it.

        Raises:
            AuditError: when the line cannot be written, or the log does not end where its head says.
        """
        try:
            with self._lock:
                head = self._open()
                if not head.count:
                    begin = {"format": FORMAT, "version": VERSION, "log": head.log, "key": key_id(self._key)}
                    head = self._add(head, "begin", begin)
                self._add(head, event, content)
        except Timeout:
            raise AuditError(
                f"the audit log '{self.path}' was held by another process for {LONGEST_WAIT:g} s, so that no result is "
                "given out; end that process, or name another file."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None

    def _open(self) -> Head:
        """Return where the log ends, after a repair where a kill made one necessary."""
        head = read_head(self.path, self._key)
        if head is None:
            if self.path.exists():
                raise self._broken("its head is missing")
            head = Head(secrets.token_hex(16))
            write_head(self.path, head, self._key)
        if head.size and not self.path.exists() and self._part(head.part).exists():
            return self._next_part(head)  # killed between the two steps of a rotation
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < head.size:
            raise self._broken(f"{head.size - size} bytes at its end are missing")
        if size == head.size and not head.size:
            return head
        with open(self.path, "rb") as file:
            file.seek(head.last)
            if line_digest(file.read(head.size - head.last)[:-1]) != head.digest and head.size:
                raise self._broken("its last line is another")
            rest = file.read()
        return self._repair(head, rest) if rest else head

    def _repair(self, head: Head, rest: bytes) -> Head:
        """Take up what a killed process left behind the head."""
        *lines, torn = rest.split(b"\n")
        for line in lines:
            try:
                content = read_line(line)
            except ValueError:
                raise self._broken("lines were added to it") from None
            expected = (head.count + 1, head.digest)
            if not is_genuine(content, self._key) or (content.get("seq"), content.get("previous")) != expected:
                raise self._broken("lines were added to it")
            head = self._moved(head, line)
        os.truncate(self.path, head.size)
        found = {"whole_lines": len(lines), "torn_bytes": len(torn), "torn_digest": line_digest(torn) if torn else None}
        return self._add(head, "repair", found)

    def _add(self, head: Head, event: str, content: dict[str, Any]) -> Head:
        line = self._line(head, event, content)
        if head.size and head.size + len(line) + 1 > self.max_bytes:
            if self._part(head.part).exists():
                raise self._broken(f"'{self._part(head.part).name}' is there already")
            os.replace(self.path, self._part(head.part))
            sync_folder(self.path.parent)
            head = self._next_part(head)
            head = self._write(head, self._line(head, "continue", {"log": head.log, "part": head.part}))
            line = self._line(head, event, content)
        return self._write(head, line)

    def _line(self, head: Head, event: str, content: dict[str, Any]) -> bytes:
        fixed = {
            "seq": head.count + 1,
            "previous": head.digest,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "who": self.operator,
            "event": event,
        }
        return sealed_line({**content, **fixed}, self._key)

    def _write(self, head: Head, line: bytes) -> Head:
        """Put a line on the disk, and then the head that knows it."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o640)
        try:
            rest = line + b"\n"
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, head.size)
            raise
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self.path.parent)
        head = self._moved(head, line)
        write_head(self.path, head, self._key)
        return head

    @staticmethod
    def _moved(head: Head, line: bytes) -> Head:
        size = head.size + len(line) + 1
        return replace(head, count=head.count + 1, digest=line_digest(line), size=size, last=head.size)

    def _next_part(self, head: Head) -> Head:
        head = replace(head, part=head.part + 1, size=0, last=0)
        write_head(self.path, head, self._key)
        return head

    def _part(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _broken(self, what: str) -> AuditError:
        return AuditError(
            f"the audit log '{self.path}' is not continued: {what}. See 'monai-anomaly audit verify', keep it with "
            f"'{head_path(self.path).name}' for inspection, and begin another."
        )

    def _unwritable(self, error: OSError) -> AuditError:
        return AuditError(
            f"the audit log '{self.path}' cannot be written ({error.strerror}), so that no result is given out; make "
            "room, or name another file."
        )
