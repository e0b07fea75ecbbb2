# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A ``Dataset`` of pydicom in memory, read as the file that it would be."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from pydicom import Dataset, dcmwrite

from monai_anomaly.data.decoding.jobs import COUNT, FRAME
from monai_anomaly.data.dicom.elements import quiet_pydicom
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["LentFile", "dataset_bytes"]


def dataset_bytes(dataset: Dataset) -> bytes:
    """Return the file that a data set would be.

    Raises:
        ImageReadError: ``missing_tag`` where it does not say how its pixels are stored; whatever is wrong with it.
    """
    stream = io.BytesIO()
    with quiet_pydicom(), boundary("writing the Dataset as a file"):
        if not getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None):
            raise ImageReadError(
                "missing_tag",
                "the Dataset has no file_meta.TransferSyntaxUID, so that nobody knows how its pixels are stored; set "
                "it, or give the file.",
            )
        if not getattr(dataset, "preamble", None):  # that of a Dataset which was read is written with it
            stream.write(bytes(128) + b"DICM")
        dcmwrite(stream, dataset, enforce_file_format=False, overwrite=True)
    return stream.getvalue()


class LentFile:
    """The frames of a file in memory, which lies on the disk while a process with limits looks at it.

    Args:
        content: the file's bytes.
        ask: gives the answer to a question (``"count"``, ``"frame"``) about a path and a frame.

    Raises:
        ImageReadError: whatever is wrong with the file's header.
    """

    def __init__(self, content: bytes, ask: Callable[[str, str, int | None], Any]) -> None:
        self._content, self._ask = content, ask
        self.frames = int(self._about(COUNT, None))

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        return cast(DecodedImage, self._about(FRAME, index))

    def _about(self, task: str, frame: int | None) -> Any:
        with TemporaryDirectory() as folder:  # for this user's eyes alone
            path = Path(folder) / "image.dcm"
            path.write_bytes(self._content)
            return self._ask(task, str(path), frame)
