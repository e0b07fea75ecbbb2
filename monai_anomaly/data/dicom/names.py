# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whose image a DICOM file is, and which one: names from its header that never leave the data list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.bounds import Budget, bounded
from monai_anomaly.data.dicom.elements import element, quiet_pydicom, word
from monai_anomaly.data.dicom.file_meta import read_file_meta
from monai_anomaly.data.dicom.preamble import complete_preamble, starts_dicom
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import check_regular

__all__ = ["DicomNames", "read_names"]

KEYWORDS = ("SOPInstanceUID", "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "Rows")
LONGEST = 1024
"""Bytes of an element beyond which its value is left in the file."""


@dataclass(frozen=True)
class DicomNames:
    """What a header says about whose image a file is; empty where it says nothing. Never written anywhere.

    Args:
        patient: Patient ID with its issuer.
        study: Study Instance UID, if it is one: what an anonymizer writes in its place may stand for all studies.
        instance: SOP Instance UID, or what stands in its place, which a table may call a file by.
        picture: whether there are rows of pixels; reports and presentation states have none.
    """

    patient: str
    study: str
    instance: str
    picture: bool


def read_names(path: Path) -> DicomNames | None:
    """Return the names in a DICOM header, None for a file that is no DICOM.

    Only the header is read, and of it only these elements; what was read is remembered while the process lives, as
    training, validation and test are asked for one after the other.

    Args:
        path: any file.

    Raises:
        ImageReadError: when the header cannot be read.
    """
    with boundary("reading the DICOM header"):
        check_regular(path)
        status = path.stat()
        return _read_unchanged(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=200_000)
def _read_unchanged(path: Path, size: int, changed: int) -> DicomNames | None:
    """Read a header; size and time of change are there for the cache, which must not know the file as it was."""
    with boundary("reading the DICOM header"), quiet_pydicom():
        with open(path, "rb") as file:
            if not starts_dicom(file.read(132)):
                return None
            stream, _ = complete_preamble(file)
            header = _read_header(stream)
        patient, issuer = _text(header, "PatientID"), _text(header, "IssuerOfPatientID")
        study = _text(header, "StudyInstanceUID")
        return DicomNames(
            patient=f"{patient}\\{issuer}" if patient and issuer else patient,  # as in dicom.identity
            study=study if uid.UID(study).is_valid else "",
            instance=_text(header, "SOPInstanceUID"),
            picture="Rows" in header,
        )


def _read_header(stream: BinaryIO) -> Dataset:
    """Return the elements that are wanted, after a look at how the file is written."""
    budget = Budget()
    counted = bounded(stream, budget)
    with budget.enforced():
        stream.seek(0)
        syntax = read_file_meta(counted).get("TransferSyntaxUID")
        if not syntax:
            raise ImageReadError("missing_tag", f"{element('TransferSyntaxUID')} is missing; export the image again.")
        if syntax == uid.DeflatedExplicitVRLittleEndian:  # it is inflated before any limit can be checked
            raise ImageReadError("unsupported_transfer_syntax", "deflated files are not read; export it uncompressed.")
        stream.seek(0)
        return dcmread(counted, stop_before_pixels=True, specific_tags=list(KEYWORDS), defer_size=LONGEST)


def _text(header: Dataset, keyword: str) -> str:
    """Return the value of a short element, an empty text without one."""
    raw = header.get_item(keyword, keep_deferred=True)
    if isinstance(raw, RawDataElement) and raw.value is None:
        return ""  # empty, or too long to be what it should be
    return word(header, keyword)
