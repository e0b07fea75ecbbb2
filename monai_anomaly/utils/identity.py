# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Keyed hashes in place of names: the same patient is the same word at one site, and nobody else can tell who.

A plain hash of a patient's number is no secret, because all numbers can be tried. The key is made once for a user and
stays on the machine; copy it to another machine to get the same words there.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["KEY_VARIABLE", "keyed_hash", "site_hash", "site_key", "stream_digest"]

KEY_VARIABLE = "MONAI_ANOMALY_KEY_FILE"
"""Environment variable with the path of the key file, where it is not in the user's configuration folder."""

_LEAST_KEY = 16
_DIGITS = 16
_PIECE = 2**18


def keyed_hash(text: str, key: bytes, kind: str = "") -> str:
    """Return 16 hexadecimal digits that stand for a text: the start of its HMAC-SHA256.

    Args:
        text: what must not be seen, e.g. a patient ID or a file's name.
        key: the secret.
        kind: what the text is; equal texts of different kinds get different hashes.
    """
    message = f"{kind}\0{text}".encode("utf-8", errors="surrogateescape")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_DIGITS]


def stream_digest(stream: BinaryIO, key: bytes, limit: int | None = None) -> str:
    """Return the 64 hexadecimal digits of the HMAC-SHA256 of what a stream holds from here to its end.

    It is read in pieces of 256 KiB. A plain SHA-256 of a picture would tell everybody who has the picture that it is
    this one.

    Args:
        stream: open for reading.
        key: the secret.
        limit: bytes after which it ends; None for all of them.
    """
    digest, piece = hmac.new(key, b"input\0", hashlib.sha256), memoryview(bytearray(_PIECE))
    left = limit
    while left is None or left > 0:
        n_read = stream.readinto(piece if left is None else piece[: min(_PIECE, left)])  # type: ignore[attr-defined]
        if not n_read:
            break
        digest.update(piece[:n_read])
        left = None if left is None else left - n_read
    return digest.hexdigest()


def site_hash(kind: str) -> Callable[[str], str]:
    """Return the function that gives :func:`keyed_hash` with this site's key.

    Args:
        kind: as in :func:`keyed_hash`.

    Raises:
        ConfigError: see :func:`site_key`.
    """
    key = site_key()
    return lambda text: keyed_hash(text, key, kind)


def site_key() -> bytes:
    """Return the key in the file that ``$MONAI_ANOMALY_KEY_FILE`` names, else in the user's configuration folder.

    The second, ``$XDG_CONFIG_HOME/monai_anomaly/identity.key`` or ``~/.config/monai_anomaly/identity.key``, is made at
    first use, readable by its user only.

    Raises:
        ConfigError: when there is no usable key and none can be made.
    """
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return _read_key(named)
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return _read_or_make(os.path.join(folder, "monai_anomaly", "identity.key"))


@lru_cache(maxsize=8)
def _read_key(path: str) -> bytes:  # a text: it is asked for with each file, and making a Path costs as much as hashing
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"the key file of ${KEY_VARIABLE} cannot be read ({error.strerror}); correct it.") from None
    if len(key) < _LEAST_KEY:
        raise ConfigError(f"the key file for hashed identifiers is shorter than {_LEAST_KEY} bytes; make a new one.")
    return key


@lru_cache(maxsize=8)
def _read_or_make(path: str) -> bytes:
    if not os.path.isfile(path):
        try:
            _make(Path(path))
        except OSError as error:
            raise ConfigError(
                f"no key for hashed identifiers can be kept in the user's configuration folder ({error.strerror}); "
                f"set ${KEY_VARIABLE} to a file with {_LEAST_KEY} or more random bytes."
            ) from None
    return _read_key(path)


def _make(path: Path) -> None:
    """Make a key whole; of two processes that do so at once, the first wins and both use its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_hex(32).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
