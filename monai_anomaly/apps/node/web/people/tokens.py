# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may log in: a file of names, roles and hashes of tokens. A token is shown once, when it is made."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["ROLES", "TokenEntry", "Tokens", "add_token", "is_name"]

ROLES = ("reader", "admin", "sender")
"""A reader sees everything and gives verdicts; an admin revives what failed, too; a sender brings images alone."""

_NAME = re.compile(r"[\w.@-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1 << 20


@dataclass(frozen=True)
class TokenEntry:
    """A line of the file.

    Args:
        name: of the person or program.
        role: of :data:`ROLES`.
        sha256: of the token. It has 256 random bits, so that nothing slower is needed.
    """

    name: str
    role: str
    sha256: str


def is_name(name: str) -> bool:
    """Return whether a name may stand in the file, on pages and in the audit log."""
    return _NAME.fullmatch(name) is not None


def add_token(path: Path, name: str, role: str) -> str:
    """Add a person to the file, which is made when missing, readable by its owner alone; return the new token.

    Raises:
        ConfigError: for a name that is there, or no name, an unknown role, or a file that cannot be read or written.
    """
    if not is_name(name):
        raise ConfigError("the name of a token has 1 to 64 letters, digits, or . _ @ -; choose another.")
    if role not in ROLES:
        raise ConfigError(f"the role of a token is one of {', '.join(ROLES)}, not '{role}'.")
    entries = _read(path) if path.exists() else []
    if any(entry.name == name for entry in entries):
        raise ConfigError(f"'{path}' has a token of '{name}'; remove its line first.")
    token = secrets.token_urlsafe(32)
    entries.append(TokenEntry(name, role, _digest(token)))
    try:
        with atomic_path(path) as temporary:
            os.chmod(temporary, 0o600)
            temporary.write_text(yaml.safe_dump([entry.__dict__ for entry in entries], sort_keys=False))
    except OSError as error:
        raise ConfigError(f"the tokens file '{path}' cannot be written ({error.strerror}).") from None
    return token


class Tokens:
    """The file, read again when it changes: who is taken out of it is out at once.

    Args:
        path: the file.

    Raises:
        ConfigError: when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._stat()
        self._entries = _read(path)

    def find(self, token: str) -> TokenEntry | None:
        """Return whose token it is; the time that it takes does not depend on which."""
        digest, found = _digest(token), None
        for entry in self._current():
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found

    def still(self, entry: TokenEntry) -> bool:
        """Return whether it is still in the file, with the same token and role."""
        return entry in self._current()

    def _current(self) -> list[TokenEntry]:
        """Return the entries; of a file that is broken or gone, none: nobody gets in until it is mended."""
        with self._lock:
            stamp = self._stat()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._entries = _read(self._path)
                except ConfigError:
                    self._entries = []
            return self._entries

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", errors="surrogatepass")).hexdigest()


def _read(path: Path) -> list[TokenEntry]:
    try:
        with open(path, "rb") as file:
            content = yaml.safe_load(file.read(_LARGEST))
        entries = [_entry(each) for each in content or []]
    except OSError as error:
        raise ConfigError(f"the tokens file '{path}' cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):  # their texts would hold parts of the file
        raise ConfigError(
            f"the tokens file '{path}' is no list of name, role and sha256; let '--new-token' write it."
        ) from None
    if len({entry.name for entry in entries}) < len(entries):
        raise ConfigError(f"the tokens file '{path}' names somebody twice; remove one of the lines.")
    return entries


def _entry(content: Any) -> TokenEntry:
    entry = TokenEntry(**content)
    if not is_name(entry.name) or entry.role not in ROLES or not _DIGEST.fullmatch(entry.sha256):
        raise ValueError
    return entry
