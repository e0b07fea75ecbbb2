# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The lines of an audit log: canonical JSON, chained by digests and sealed with the site's key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

__all__ = [
    "FORMAT",
    "GENESIS",
    "LONGEST_LINE",
    "VERSION",
    "canonical",
    "is_genuine",
    "key_id",
    "line_digest",
    "read_line",
    "sealed",
    "sealed_line",
]

FORMAT = "monai_anomaly audit log"
VERSION = 1

GENESIS = "0" * 64
"""What the first line has for the digest of the line before."""

LONGEST_LINE = 1 << 20
"""Bytes; a longer one is none of ours."""


def canonical(content: Mapping[str, Any]) -> bytes:
    """Return the one way to write a content: ASCII JSON with sorted keys and no spaces.

    Raises:
        ValueError: for numbers that are not finite.
    """
    return json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def sealed(content: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """Return a content with ``mac``, its HMAC-SHA256, which nobody makes without the key."""
    return {**content, "mac": _mac(content, key)}


def sealed_line(content: Mapping[str, Any], key: bytes) -> bytes:
    """Return a line of the log, without its end."""
    return canonical(sealed(content, key))


def is_genuine(content: Mapping[str, Any], key: bytes) -> bool:
    """Return whether a content has the ``mac`` that the key gives it."""
    rest = {name: value for name, value in content.items() if name != "mac"}
    return hmac.compare_digest(str(content.get("mac", "")).encode(errors="replace"), _mac(rest, key).encode())


def line_digest(line: bytes) -> str:
    """Return the SHA-256 of a line without its end: what the next line has as ``previous``."""
    return hashlib.sha256(line).hexdigest()


def read_line(line: bytes) -> dict[str, Any]:
    """Return the content of a line.

    Raises:
        ValueError: for a line that no log has: another way of writing, or no JSON object.
    """
    try:
        content = json.loads(line)
        if isinstance(content, dict) and canonical(content) == line:
            return content
    except RecursionError:
        pass
    raise ValueError("it is not written as a line of an audit log")


def key_id(key: bytes) -> str:
    """Return what tells one key from another, and says nothing of it."""
    return _mac({"audit": "key"}, key)[:16]


def _mac(content: Mapping[str, Any], key: bytes) -> str:
    return hmac.new(key, b"audit\0" + canonical(content), hashlib.sha256).hexdigest()
