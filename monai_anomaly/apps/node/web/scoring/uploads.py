# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Files that are handed in to be scored at once: written beside the node's data, bounded, and removed again."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.requests import Request

__all__ = ["TooLargeError", "UnknownFormatError", "received_file"]

_HEAD = 352
_STARTS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"\x1f\x8b": ".nii.gz"}


class UnknownFormatError(ValueError):
    """Neither DICOM, PNG, JPEG nor NIfTI."""


class TooLargeError(ValueError):
    """More bytes than are taken."""


@asynccontextmanager
async def received_file(request: Request, folder: Path, most: int) -> AsyncIterator[Path]:
    """Give the body of a request as a file that is removed at the end.

    Args:
        request: its body is the file, as it is.
        folder: to write in; made when missing.
        most: bytes.

    Raises:
        TooLargeError: for more.
        UnknownFormatError: by its first bytes it is no DICOM, PNG, JPEG or NIfTI file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="upload-") as place:
        path, size = Path(place, "body"), 0
        with open(path, "wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise TooLargeError
                file.write(piece)
        with open(path, "rb") as file:
            suffix = _suffix(file.read(_HEAD))
        yield path.rename(path.with_name(f"file{suffix}"))


def _suffix(head: bytes) -> str:
    if head[128:132] == b"DICM":
        return ".dcm"
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return ".nii"
    for start, suffix in _STARTS.items():
        if head.startswith(start):
            return suffix
    raise UnknownFormatError
