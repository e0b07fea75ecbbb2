# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who and what an image belongs to, as keyed hashes: the only form in which identifiers leave the reader."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_anomaly.data.dicom.elements import word
from monai_anomaly.utils.identity import keyed_hash

__all__ = ["find_year", "hash_identifiers"]

DEVICE = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName")
DATES = ("AcquisitionDate", "ContentDate", "StudyDate")
UIDS = {"instance": "SOPInstanceUID", "series": "SeriesInstanceUID", "study": "StudyInstanceUID"}


def hash_identifiers(dataset: Dataset, key: bytes) -> dict[str, str]:
    """Return keyed hashes of a header: ``instance``, ``series``, ``study``, ``patient`` and ``device``.

    The patient is the Patient ID (0010,0020), followed by ``\\`` and the Issuer of Patient ID (0010,0021) where there
    is one: the same number from two hospitals is two patients. The device is Manufacturer (0008,0070), Manufacturer's
    Model Name (0008,1090), Device Serial Number (0018,1000) and Station Name (0008,1010), as far as they are there. An
    absent identifier, or a UID that is none, is left out.

    Args:
        dataset: the header.
        key: the site's key.
    """
    texts: dict[str, str] = {}
    for kind, keyword in UIDS.items():
        text = word(dataset, keyword)
        if text and UID(text).is_valid:
            texts[kind] = text
    patient, issuer = word(dataset, "PatientID"), word(dataset, "IssuerOfPatientID")
    if patient:
        texts["patient"] = f"{patient}\\{issuer}" if issuer else patient
    device = [word(dataset, keyword) or "" for keyword in DEVICE]
    if any(device):
        texts["device"] = "\\".join(device)
    return {kind: keyed_hash(text, key, kind) for kind, text in texts.items()}


def find_year(dataset: Dataset) -> int:
    """Return the year in which an image was made, 0 where its header has no date; day and month are not looked at.

    Args:
        dataset: the header.
    """
    years = (word(dataset, keyword)[:4] for keyword in DATES)
    return next((int(year) for year in years if year.isascii() and year.isdigit() and len(year) == 4), 0)
