# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a file is, by its first bytes; names are believed only where the bytes leave it open."""

from __future__ import annotations

import os
import re
import stat
from os import PathLike
from typing import BinaryIO

from monai_anomaly.data.dicom.preamble import starts_dicom
from monai_anomaly.data.errors import ImageReadError

__all__ = ["SUFFIXES", "check_regular", "find_kind"]

SUFFIXES = (
    *(".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"),
    *(".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"),
)
HEAD = 352
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
DATA_SET_START = re.compile(rb"\x08\0[\0-\x18]\0(?:(?:UL|CS|UI|DA|TM)|[\0-\x40]\0\0\0)", re.DOTALL)
"""First element of most data sets: of group 8, with a type or with a short length."""
META_START = re.compile(rb"\s*(Comment|ObjectType|NDims)\s*=")


def check_regular(path: PathLike | str) -> None:
    """Refuse what must not be opened: reading a pipe waits for ever, and a device may act.

    Raises:
        ImageReadError: ``unreadable``.
        OSError: when there is no such file, or it is a folder.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise ImageReadError("unreadable", "this is a pipe, socket or device, not a file; remove it.")


def find_kind(stream: BinaryIO, path: PathLike | str) -> str:
    """Return ``"dicom"``, ``"raster"``, ``"tiff"``, ``"nifti"``, ``"nrrd"`` or ``"metaimage"``; rewinds the stream.

    Args:
        stream: the file, at its start.
        path: its name.

    Raises:
        ImageReadError: ``not_dicom`` or ``decode_failed`` for a file that is none of these.
    """
    head = stream.read(HEAD)
    stream.seek(0)
    if starts_dicom(head):
        return "dicom"
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")):
        return "raster"
    if head.startswith(TIFF_STARTS):
        return "tiff"
    name = str(path).lower()
    if head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"):
        return "nifti"
    if head.startswith(b"\x1f\x8b") and name.endswith(".gz"):
        return "nifti"
    if head.startswith(b"NRRD000"):
        return "nrrd"
    if META_START.match(head):
        return "metaimage"
    if not head:
        raise ImageReadError("not_dicom", "the file is empty; copy it again.")
    if DATA_SET_START.match(head):
        raise ImageReadError(
            "not_dicom",
            "the file is a DICOM data set without the file meta information in front, which says how its pixels are "
            "stored; export it as a DICOM file.",
        )
    if name.endswith(SUFFIXES[3:]):
        raise ImageReadError("decode_failed", "the content does not match the name's ending; copy the file again.")
    raise ImageReadError(
        "not_dicom",
        "the file is none of DICOM (with its 128-byte preamble), PNG, JPEG, BMP, TIFF, NIfTI, NRRD and MetaImage; "
        "remove it or export it as one of them.",
    )
