# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whose image a DICOM file is, from its header, so that no patient is in training and in test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from monai_anomaly.data.dicom.elements import element, quiet_pydicom, word
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import check_regular
from monai_anomaly.data.lists.entries import Entry

__all__ = ["DicomNames", "add_patients", "read_names"]

KEYWORDS = ("SOPInstanceUID", "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "Rows")
LONGEST = 1024
"""Bytes of an element beyond which its value is left in the file."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DicomNames:
    """What a header says about whose image a file is; empty where it says nothing. Never written anywhere.

    Args:
        patient: Patient ID with its issuer.
        study: Study Instance UID.
        instance: SOP Instance UID.
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
        return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=200_000)
def _read(path: Path, size: int, changed: int) -> DicomNames | None:
    with boundary("reading the DICOM header"), quiet_pydicom():
        with open(path, "rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        if not syntax:
            raise ImageReadError("missing_tag", f"{element('TransferSyntaxUID')} is missing; export the image again.")
        if syntax == uid.DeflatedExplicitVRLittleEndian:  # it is inflated before any limit can be checked
            raise ImageReadError("unsupported_transfer_syntax", "deflated files are not read; export it uncompressed.")
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(KEYWORDS), defer_size=LONGEST)
        patient, issuer = _text(header, "PatientID"), _text(header, "IssuerOfPatientID")
        return DicomNames(
            patient=f"{patient}\\{issuer}" if patient and issuer else patient,  # as in dicom_identity
            study=_text(header, "StudyInstanceUID"),
            instance=_text(header, "SOPInstanceUID"),
            picture="Rows" in header,
        )


def _text(header: Dataset, keyword: str) -> str:
    """Return the value of a short element, an empty text without one."""
    raw = header.get_item(keyword, keep_deferred=True)
    if isinstance(raw, RawDataElement) and raw.value is None:
        return ""  # empty, or too long to be what it should be
    return word(header, keyword)


def add_patients(root: Path, sections: Mapping[str, list[Entry]]) -> dict[str, list[Entry]]:
    """Give the entries without a group that of their patient, as far as DICOM headers tell.

    A group in the list wins. Then a DICOM file's group is its Patient ID with the issuer, else the tree's folder, else
    the Study Instance UID; any other file's is the folder, else the file. A Patient ID, or a study, that every DICOM
    file shares tells nothing, as in anonymized archives, and is passed over with a warning. Abnormal training images
    are never used, nor opened here; inference needs no groups.

    Args:
        root: names are relative to it.
        sections: the data set.

    Returns:
        The same sections.
    """
    unknown = [
        entry
        for section in ("training", "validation", "test")
        for entry in sections.get(section, ())
        if entry.group is None and not (section == "training" and entry.label == 1)
    ]
    names = _read_all(root, sorted({entry.name for entry in unknown}))
    if not names:
        return {section: list(entries) for section, entries in sections.items()}
    known = _without_common(names)
    groups = {entry.name: _group(entry, known.get(entry.name)) for entry in unknown}
    _warn_missing(known)
    return {
        section: [
            replace(entry, group=groups[entry.name], private=True)
            if entry.group is None and groups.get(entry.name)
            else entry
            for entry in entries
        ]
        for section, entries in sections.items()
    }


def _group(entry: Entry, names: DicomNames | None) -> str | None:
    """Return the group that a header gives to an entry, None where it is the folder or the file."""
    if names is None:
        return None
    return names.patient or (None if entry.folder else names.study) or None


def _read_all(root: Path, files: list[str]) -> dict[str, DicomNames]:
    """Return what the headers say, without the files that are no DICOM or have no readable header."""
    found = {}
    unreadable = 0
    for file in files:
        try:
            names = read_names(root / file)
        except ImageReadError:  # the reader will say why
            unreadable += 1
            continue
        if names is not None:
            found[file] = names
    if unreadable:
        logger.warning("%d of %d headers could not be read for the patient.", unreadable, len(files))
    return found


def _without_common(names: dict[str, DicomNames]) -> dict[str, DicomNames]:
    """Remove a patient that all files share, and then, where no file has a patient, a study that all share."""
    if _common(names, "PatientID", [one.patient for one in names.values()], "the folder or study stands for it"):
        names = {file: replace(one, patient="") for file, one in names.items()}
    if not any(one.patient for one in names.values()) and _common(
        names, "StudyInstanceUID", [one.study for one in names.values()], "the folder or file stands for the patient"
    ):
        names = {file: replace(one, study="") for file, one in names.items()}
    return names


def _common(names: Mapping[str, DicomNames], keyword: str, values: list[str], instead: str) -> bool:
    """Return whether all of several files share one value, with a warning."""
    if len(names) < 2 or not values[0] or len(set(values)) > 1:
        return False
    logger.warning(
        "All %d DICOM files have one and the same %s, which tells no patients apart: %s. Where that is wrong, write a "
        "dataset.json or labels.csv with group.",
        len(names),
        element(keyword),
        instead,
    )
    return True


def _warn_missing(names: Mapping[str, DicomNames]) -> None:
    """Says how many files have no patient, where others have one."""
    without = sum(not one.patient for one in names.values())
    if 0 < without < len(names):
        logger.warning(
            "%d of %d DICOM files have no %s; their folder or study stands for the patient.",
            without,
            len(names),
            element("PatientID"),
        )
