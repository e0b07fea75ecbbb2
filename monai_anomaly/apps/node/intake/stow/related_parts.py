# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The parts of a multipart/related body, each in a file of its own while it comes in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from monai_anomaly.apps.node.intake.incoming import new_part
from monai_anomaly.apps.node.intake.stow.settings import StowSettings

__all__ = ["BodyError", "Part", "RelatedParts", "read_boundary"]

MEDIA_TYPE = b"application/dicom"
MOST_BOUNDARY = 200  # RFC 2046 5.1.1 says 70, Orthanc uses 73
logging.getLogger("python_multipart").setLevel(logging.CRITICAL + 1)  # it logs bytes of the body


class BodyError(ValueError):
    """A body of which nothing is taken.

    Args:
        status: of HTTP.
        code: why, a word of the node's own.
        text: why, a sentence.
    """

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


@dataclass
class Part:
    """What lay between two boundaries.

    Args:
        path: its file; None of one that is said to be no DICOM file.
    """

    path: Path | None


def read_boundary(content_type: str) -> bytes:
    """Return the boundary that a header Content-Type names.

    Raises:
        BodyError: 415 for another type than ``multipart/related; type="application/dicom"``, 400 without a boundary.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/related" or options.get(b"type", MEDIA_TYPE).lower() != MEDIA_TYPE:
        raise BodyError(415, "wrong_type", 'What is taken is multipart/related; type="application/dicom".')
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= MOST_BOUNDARY:
        raise BodyError(400, "bad_body", "The Content-Type names no boundary of 1 to 200 characters.")
    return boundary


class RelatedParts:
    """Take a body piece by piece; memory does not grow with it.

    Args:
        boundary: between its parts.
        folder: where the files are made.
        limits: of the body and its parts.
        require_room: raises where the disk has too little room for one more file.
    """

    def __init__(self, boundary: bytes, folder: Path, limits: StowSettings, require_room: Callable[[], None]) -> None:
        self.parts: list[Part] = []
        self._folder, self._limits, self._require_room = folder, limits, require_room
        self._file: IO[bytes] | None = None
        self._total = self._size = 0
        self._name, self._value, self._type = b"", b"", MEDIA_TYPE
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open,
                "on_part_data": self._write,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def write(self, piece: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            BodyError: for what is no such body, or past a limit.
            NoRoomError: when the disk has too little room.
            OSError: when the disk is full.
        """
        self._total += len(piece)
        if self._total > self._limits.max_request_bytes:
            raise BodyError(413, "too_large", f"At most {self._limits.max_request_bytes} bytes are taken at a time.")
        try:
            self._parser.write(piece)
        except FormParserError:
            raise BodyError(400, "bad_body", "The body is not what its Content-Type says.") from None

    def finish(self) -> list[Part]:
        """Return the parts of a body that has come to its end.

        Raises:
            BodyError: for one that breaks off, or is empty.
        """
        if not self._is_whole or not self.parts:
            raise BodyError(400, "bad_body", "The body has no part, or ends before its last boundary.")
        return self.parts

    def discard(self) -> None:
        """Remove all files that nobody has moved away."""
        if self._file is not None:
            self._file.close()
            self._file = None
        for part in self.parts:
            if part.path is not None:
                part.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        if len(self.parts) >= self._limits.max_parts:
            raise BodyError(413, "too_many_parts", f"At most {self._limits.max_parts} objects are taken at a time.")
        self._require_room()
        self._size, self._type, self._name, self._value = 0, MEDIA_TYPE, b"", b""
        self.parts.append(Part(None))

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-type":
            self._type = parse_options_header(self._value)[0].lower()
        self._name, self._value = b"", b""

    def _open(self) -> None:
        if self._type == MEDIA_TYPE:
            self._file, self.parts[-1].path = new_part(self._folder)

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._limits.max_bytes:
            raise BodyError(413, "too_large", f"At most {self._limits.max_bytes} bytes of an object are taken.")
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _finish(self) -> None:
        self._is_whole = True
