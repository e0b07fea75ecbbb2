# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all generated DICOM files share: made-up patients, UIDs that the seed decides, writing."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

__all__ = ["make_uid", "new_dataset", "write_dataset"]


def make_uid(*words: str) -> UID:
    """Return a UID that is always the same for the same words."""
    return generate_uid(entropy_srcs=["monai_anomaly.phantom", *words])


def new_dataset(
    sop_class: UID, modality: str, *, words: tuple[str, ...], patient: str, series: str, number: int
) -> Dataset:
    """Return a data set without pixels, of a made-up patient who has one study.

    Args:
        sop_class: what is stored.
        modality: as in (0008,0060).
        words: what the instance's UID is made of; the first is the data set's and the seed's.
        patient: number of the patient, also the study's name.
        series: name of the series within the study.
        number: instance number.
    """
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = make_uid(*words)
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
        setattr(data, keyword, "")
    data.Modality = modality
    data.Manufacturer = "monai_anomaly phantom"
    data.StudyDescription = "Generated data, not a person"
    data.PatientName = f"PHANTOM^{patient}"
    data.PatientID = f"PHANTOM-{patient}"
    data.PatientBirthDate, data.PatientSex = "", ""
    data.StudyInstanceUID = make_uid(words[0], patient)
    data.SeriesInstanceUID = make_uid(words[0], patient, series)
    data.InstanceNumber = number
    data.BurnedInAnnotation = "NO"
    data.LossyImageCompression = "00"
    return data


def write_dataset(data: Dataset, path: Path) -> None:
    """Write as explicit VR little endian; the bytes depend on the data set alone."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = make_uid("implementation")
    meta.ImplementationVersionName = "MONAI_ANOMALY_1"
    data.file_meta = meta
    data.save_as(path, enforce_file_format=True)
