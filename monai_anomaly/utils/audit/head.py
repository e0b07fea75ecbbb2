# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The head of an audit log: how many lines there are and which is the last, sealed, in a small file beside the log.

The chain of digests shows what was changed within a log, but not that its end was cut off; this does.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.audit.lines import FORMAT, GENESIS, VERSION, canonical, is_genuine, sealed
from monai_anomaly.utils.exceptions import AuditError

__all__ = ["Head", "head_path", "read_head", "write_head"]


@dataclass(frozen=True)
class Head:
    """Where a log ends.

    Args:
        log: the log's own random number, hexadecimal.
        count: lines in all files.
        digest: of the last line.
        part: number of the file that is written, from 1.
        size: bytes of that file.
        last: where its last line begins.
    """

    log: str
    count: int = 0
    digest: str = GENESIS
    part: int = 1
    size: int = 0
    last: int = 0


def head_path(path: Path) -> Path:
    """Return where the head of a log is: beside it."""
    return path.with_name(f"{path.name}.head")


def write_head(path: Path, head: Head, key: bytes) -> None:
    """Write the head of the log at `path`, whole or not at all.

    Raises:
        OSError: when it cannot be written.
    """
    content = {"format": f"{FORMAT}, head", "version": VERSION, **asdict(head)}
    atomic_write(head_path(path), canonical(sealed(content, key)) + b"\n")


def read_head(path: Path, key: bytes | None) -> Head | None:
    """Return the head of the log at `path`; None where there is none.

    Args:
        path: the log.
        key: the site's key; None believes the head without it.

    Raises:
        AuditError: when it was edited, or written with another key.
        OSError: when it cannot be read.
    """
    try:
        with open(head_path(path), "rb") as file:
            text = file.read(4096)
    except FileNotFoundError:
        return None
    try:
        content: dict[str, Any] = json.loads(text)
        head = Head(**{field.name: content[field.name] for field in fields(Head)})
        sound = content["version"] == VERSION and (key is None or is_genuine(content, key))
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise AuditError(
            f"the head '{head_path(path)}' of the audit log was edited, or written with another key: put back the key "
            "or the head from a copy, or keep this log for inspection and begin another."
        )
    return head
