# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A digest at the end of a file of ``torch.save``, so that one flipped bit anywhere in it is noticed.

PyTorch does not look at the checksums of the zip archive that it writes, and a weight with another bit is a weight. The
digest of all bytes before it stands in the archive's comment: the file stays one that ``torch.load``, MONAI and any zip
program read, and the digest goes where the file goes.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import BinaryIO

__all__ = ["check_seal", "seal"]

_MARK = b"monai_anomaly sha256 "
_LENGTH = len(_MARK) + 64
_END = 22  # bytes of a zip archive's last record without a comment, whose last two are the comment's length
_PART = 2**20  # bytes that are hashed at once


def seal(file: BinaryIO) -> None:
    """Write the digest of a file of ``torch.save`` at its end.

    Args:
        file: open for reading and writing, with the whole archive and no comment.
    """
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _LENGTH))
    digest = _hash(file, file.tell()).hexdigest()
    file.write(_MARK + digest.encode("ascii"))


def check_seal(file: BinaryIO) -> tuple[bool | None, str]:
    """Compare a file with the digest at its end.

    Args:
        file: open for reading.

    Returns:
        whether the bytes are those that were sealed, None for an archive that nobody sealed; and the SHA-256 of the
        whole file, 64 hexadecimal digits.
    """
    size = file.seek(0, os.SEEK_END)
    body = max(0, size - _LENGTH)
    digest = _hash(file, body)
    found = file.read()
    whole = digest.copy()
    whole.update(found)
    if found.startswith(_MARK):
        return found == _MARK + digest.hexdigest().encode("ascii"), whole.hexdigest()
    end = found[-_END:]
    is_plain = end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0") and len(end) == _END
    return None if is_plain else False, whole.hexdigest()  # a comment that is no digest is a damaged one


def _hash(file: BinaryIO, size: int) -> hashlib._Hash:
    """Hash the first bytes of a file, and stay behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (part := file.read(min(size, _PART))):
        digest.update(part)
        size -= len(part)
    return digest
