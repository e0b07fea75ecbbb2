# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The file meta information at the start of a DICOM file: DICOM PS3.10 7.1.

pydicom reads it from a path only, and the reader holds an open file.
"""

from __future__ import annotations

from typing import BinaryIO

from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag

__all__ = ["read_file_meta"]

GROUP = 2


def read_file_meta(stream: BinaryIO) -> FileMetaDataset:
    """Return the file meta information as :func:`pydicom.filereader.read_file_meta_info` does, empty where it is none.

    Args:
        stream: an open file, at its start; it is left behind the file meta information.

    Raises:
        pydicom.errors.InvalidDicomError: for a file without the preamble.
    """
    read_preamble(stream, force=False)
    start = stream.tell()
    meta = _read_group(stream, is_implicit_vr=False)
    try:
        for raw in list(meta.elements())[:1]:
            meta[raw.tag]  # whose type is none where the writer left types out, against the standard
    except NotImplementedError:
        stream.seek(start)
        meta = _read_group(stream, is_implicit_vr=True)
    meta.get("FileMetaInformationGroupLength")  # a damaged one is refused here, before the rest is read
    return meta


def _read_group(stream: BinaryIO, *, is_implicit_vr: bool) -> FileMetaDataset:
    return FileMetaDataset(read_dataset(stream, is_implicit_vr, True, stop_when=_is_behind))


def _is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
    """Return whether an element is the first one behind the group."""
    return tag.group != GROUP
