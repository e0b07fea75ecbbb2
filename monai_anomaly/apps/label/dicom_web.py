# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Fetches the images of a DICOMweb server as they are stored, since a converted copy is another picture.

MONAI Label's own way converts each series to NIfTI, by which windows, regions and frames are lost, and scores change.
"""

from __future__ import annotations

import mmap
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from dicomweb_client.api import DICOMwebClient
from requests import Response, Session

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["DicomWebSource"]

MOST_IMAGES = 200
"""Of a series; one of more is a volume, which these detectors are not made for."""
_PIECE = 2**18
_UID = re.compile(r"[0-9.]{1,64}")
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"


class DicomWebSource:
    """The series of a DICOMweb server.

    Args:
        url: of its services.
        session: sends the requests, with what it needs to be let in.
        search_filter: of QIDO-RS, which series there are.
        qido_prefix: between the URL and ``/series``; None for none.
        wado_prefix: between the URL and ``/studies``; None for none.
        seconds: how long to wait for a connection and for each answer.
        max_bytes: of a series.
    """

    def __init__(
        self,
        url: str,
        session: Session,
        search_filter: Mapping[str, Any],
        *,
        qido_prefix: str | None = None,
        wado_prefix: str | None = None,
        seconds: float = 30.0,
        max_bytes: int = ReadLimits.max_bytes,
    ) -> None:
        self.client = DICOMwebClient(url, session=session, qido_url_prefix=qido_prefix, timeout=seconds)
        self.client.set_http_retry_params(retry=False)
        self._session = session
        self._filter = dict(search_filter)
        self._wado = f"{url}/{wado_prefix}" if wado_prefix else url
        self._seconds = seconds
        self._max_bytes = max_bytes

    def series(self) -> dict[str, str]:
        """Return the study of each series, by their UIDs.

        Raises:
            OSError: when the server does not answer.
        """
        found = self.client.search_for_series(search_filters=self._filter, get_remaining=True)
        known = {_value(item, _SERIES): _value(item, _STUDY) for item in found}
        return {series: study for series, study in known.items() if series and study}

    def fetch(self, study: str, series: str, folder: Path) -> None:
        """Fetch a series into a folder, which is there whole afterwards, or not at all; names are numbers.

        Args:
            study: its UID.
            series: its UID.
            folder: does not exist.

        Raises:
            ImageReadError: for a series with too many or too large images, or an answer that is none.
            OSError: when the server does not answer.
        """
        listed = self.client.search_for_instances(study, series, get_remaining=True)
        instances = sorted({_value(item, _INSTANCE) for item in listed} - {""})
        if not instances:
            raise ImageReadError("not_found", "the series has no image on the server.")
        if len(instances) > MOST_IMAGES:
            raise ImageReadError(
                "budget", f"the series has {len(instances)} images and {MOST_IMAGES} are read; it is a volume."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetch-"))
        try:
            left = self._max_bytes
            for number, instance in enumerate(instances, 1):
                path = unfinished / f"{number:04d}.dcm"
                self._fetch_one(f"{self._wado}/studies/{study}/series/{series}/instances/{instance}", path, left)
                left -= path.stat().st_size
            unfinished.rename(folder)
        finally:
            with suppress(FileNotFoundError):
                shutil.rmtree(unfinished)

    def _fetch_one(self, url: str, path: Path, limit: int) -> None:
        headers = {"Accept": _ACCEPT}
        with self._session.get(url, headers=headers, stream=True, timeout=self._seconds) as answer:
            answer.raise_for_status()
            with tempfile.TemporaryFile(dir=path.parent) as body:
                size = _save(answer, body, limit)
                start, end = _part(body, size, answer.headers.get("Content-Type", ""))
                with open(path, "wb") as file:
                    body.seek(start)
                    while start < end:
                        piece = body.read(min(_PIECE, end - start))
                        file.write(piece)
                        start += len(piece)


def _save(answer: Response, body: BinaryIO, limit: int) -> int:
    """Write what the server sends, and return how much it is."""
    size = 0
    for piece in answer.iter_content(_PIECE):
        size += len(piece)
        if size > limit:
            raise ImageReadError("budget", "the series is larger than is read; fetch it yourself.")
        body.write(piece)
    return size


def _part(body: BinaryIO, size: int, content_type: str) -> tuple[int, int]:
    """Return where the first part of a multipart answer begins and ends; all of an answer that is none."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if boundary is None or size == 0:
        return 0, size
    body.flush()
    mark = boundary.encode("latin-1")
    with mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ) as content:
        first = content.find(b"--" + mark)
        start = content.find(b"\r\n\r\n", max(first, 0))
        end = content.rfind(b"\r\n--" + mark, max(start, 0))
        if first < 0 or start < 0 or end < 0:
            raise ImageReadError("truncated", "the server's answer is cut off; try again.")
        return start + 4, end


def _value(item: Mapping[str, Any], tag: str) -> str:
    """Return a UID of an answer; empty where it is none."""
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0]) if _UID.fullmatch(str(values[0])) else ""
