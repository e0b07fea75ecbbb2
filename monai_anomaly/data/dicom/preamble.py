# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""DICOM files that lost the preamble in front of their file meta information: DICOM PS3.10 7.1."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from monai_anomaly.data.errors import ImageReadError

__all__ = ["complete_preamble", "starts_dicom"]

PREAMBLE, PREFIX = bytes(128), b"DICM"
META_START = b"\x02\0\0\0UL\x04\0"
"""The first element of the file meta information, its length, up to its value."""
MOST = 2**31


def starts_dicom(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is DICOM, with its preamble or clearly without it.

    Args:
        head: 132 bytes or more.
    """
    return head[128:132] == PREFIX or head.startswith((PREFIX + META_START, META_START))


def complete_preamble(stream: BinaryIO) -> tuple[BinaryIO, bool]:
    """Return a DICOM file with its preamble, at its start, and whether that was missing.

    Args:
        stream: the open file.

    Raises:
        ImageReadError: ``budget`` for a file without it that is too large to be copied in memory.
    """
    stream.seek(0)
    head = stream.read(132)
    stream.seek(0)
    if head[128:] == PREFIX or not starts_dicom(head):
        return stream, False
    if stream.seek(0, os.SEEK_END) > MOST:
        raise ImageReadError("budget", f"the file has no preamble and more than {MOST} bytes; export it again.")
    stream.seek(0)
    prefix = b"" if head.startswith(PREFIX) else PREFIX
    return io.BytesIO(PREAMBLE + prefix + stream.read()), True
