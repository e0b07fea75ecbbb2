# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a result's objects take from the image that was scored: whose it is, of which study, and when it was made."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.charset import convert_encodings, encode_string, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import UID, MultiFrameTrueColorSecondaryCaptureImageStorage, SecondaryCaptureImageStorage
from pydicom.valuerep import PersonName, format_number_as_ds

from monai_anomaly.data.decoding.open_file import tell_kind
from monai_anomaly.data.dicom.elements import element, numbers
from monai_anomaly.data.dicom.header import read_header
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.read_limits import ReadLimits
from monai_anomaly.dicom_results.errors import DicomResultError

__all__ = ["SourceHeader", "raw_element", "read_source"]

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
IDENTITY = {
    "PatientName": "",
    "PatientID": "",
    "IssuerOfPatientID": None,
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyDate": "",
    "StudyTime": "",
    "StudyID": "",
    "StudyDescription": None,
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
}
"""What is copied, as it is stored; an empty text where the standard wants an empty element (Type 2), None where not."""

MOMENTS = ("Content", "Acquisition", "Series", "Study")
"""Whose dates are looked for, the first that there is counts."""

MOST_BYTES = 60_000
"""An element of explicit VR holds 65,534 bytes; the standard allows some hundred here."""

_DATE = re.compile(rb"\d{8}")
_TIME = re.compile(rb"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_CODE = re.compile(rb"[A-Z0-9_ ]{1,16}")
_ORIENTATION = re.compile(rb"[AFHLPR]{1,3}\\[AFHLPR]{1,3}")


@dataclass(frozen=True)
class SourceHeader:
    """What is to be known of the scored image, checked.

    Args:
        sop_class, instance, study, series: its UIDs.
        modality: as the source has it, ``OT`` where it has none.
        rows, columns, frames: its size.
        number: its instance number; 1 where it has none.
        date, time: when its content was made.
        burned_in: ``YES`` or ``NO``, whether it says to have names in its pixels; empty where it does not say.
        identity: the patient's and the study's elements and the character set, byte for byte as they are stored.
        laterality, orientation: those elements, empty where the source has none.
        place: the elements that place a still image in its frame of reference; empty where one is missing.
    """

    sop_class: str
    instance: str
    study: str
    series: str
    modality: str
    rows: int
    columns: int
    frames: int
    number: int
    date: str
    time: str
    burned_in: str
    identity: tuple[RawDataElement, ...]
    laterality: RawDataElement
    orientation: RawDataElement
    place: Dataset

    @property
    def stand_in(self) -> str:
        """A class in the source's place: highdicom refuses those that the standard has retired, and private ones."""
        several = self.frames > 1
        return MultiFrameTrueColorSecondaryCaptureImageStorage if several else SecondaryCaptureImageStorage

    def reference(self) -> Dataset:
        """Return a header for highdicom: UIDs, size and place, and no word about the patient."""
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = self.stand_in, self.instance
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.study, self.series
        dataset.Rows, dataset.Columns, dataset.Modality = self.rows, self.columns, self.modality
        for keyword, empty in IDENTITY.items():
            if empty is not None:
                setattr(dataset, keyword, empty)
        dataset.update(self.place)
        return dataset


def read_source(source: Dataset | str | os.PathLike[str]) -> SourceHeader:
    """Return what is to be known of a scored image.

    Args:
        source: its data set, or its file.

    Raises:
        DicomResultError: for a file that is no DICOM, UIDs that are missing, an unknown character set.
    """
    dataset = source if isinstance(source, Dataset) else _read(source)
    uids = {keyword: _text(dataset, keyword) for keyword in UIDS}
    for keyword, value in uids.items():
        if not UID(value).is_valid:
            raise DicomResultError(
                "missing_uid",
                f"{element(keyword)} is missing or no UID, and without it no archive can file a result; export the "
                "image with its UIDs.",
            )
    date, time = _moment(dataset)
    frames = _number(dataset, "NumberOfFrames", 1)
    side = _stored(dataset, "ImageLaterality") or _stored(dataset, "Laterality")
    orientation = _stored(dataset, "PatientOrientation")
    return SourceHeader(
        sop_class=uids["SOPClassUID"],
        instance=uids["SOPInstanceUID"],
        study=uids["StudyInstanceUID"],
        series=uids["SeriesInstanceUID"],
        modality=_text(dataset, "Modality") if _CODE.fullmatch(_stored(dataset, "Modality")) else "OT",
        rows=_number(dataset, "Rows", 0),
        columns=_number(dataset, "Columns", 0),
        frames=frames,
        number=_number(dataset, "InstanceNumber", 1),
        date=date,
        time=time,
        burned_in=_text(dataset, "BurnedInAnnotation"),
        identity=_identity(dataset),
        laterality=raw_element("Laterality", side if side in (b"L", b"R") else b""),
        orientation=raw_element("PatientOrientation", orientation if _ORIENTATION.fullmatch(orientation) else b""),
        place=_place(dataset) if frames == 1 else Dataset(),
    )


def _read(path: str | os.PathLike[str]) -> Dataset:
    """Return the header of a file, read with all the reader's limits."""
    try:
        if tell_kind(path) != "dicom":
            raise DicomResultError("not_dicom", "the source is no DICOM file, and DICOM results need a study to go to.")
        with open(path, "rb") as stream:
            return read_header(stream, ReadLimits(), for_processing=True).dataset
    except ImageReadError as error:
        raise DicomResultError("changed", f"the source cannot be read any more: {error.message}") from None


def _identity(dataset: Dataset) -> tuple[RawDataElement, ...]:
    """Return the patient's and the study's elements, with the character set that their bytes are in.

    The bytes are the source's own, so that an archive puts source and result to one patient. Only dates, times and a
    sex that the standard does not know are left empty.
    """
    texts = {keyword: _stored(dataset, keyword) for keyword in IDENTITY}
    charset = _stored(dataset, "SpecificCharacterSet")
    for keyword, text in {**texts, "SpecificCharacterSet": charset}.items():
        if len(text) > MOST_BYTES:
            raise DicomResultError("too_long", f"{element(keyword)} is too long; correct it in the export.")
    for keyword, text in texts.items():
        if not _is_legal(keyword, text):
            texts[keyword] = b""
    elements = [raw_element(keyword, text) for keyword, text in texts.items() if text or IDENTITY[keyword] is not None]
    known = all(term.strip().decode("latin-1") in python_encoding for term in charset.split(b"\\"))
    if charset and known:
        elements.append(raw_element("SpecificCharacterSet", charset))
    elif charset and not all(text.isascii() and b"\x1b" not in text for text in texts.values()):
        raise DicomResultError(
            "charset",
            f"{element('SpecificCharacterSet')} is none that the standard defines, and the patient's elements are not "
            "plain ASCII; correct it in the export.",
        )
    return tuple(elements)


def _is_legal(keyword: str, text: bytes) -> bool:
    kind = dictionary_VR(keyword)
    if kind == "DA":
        return _is_date(text)
    if kind == "TM":
        return bool(_TIME.fullmatch(text))
    return keyword != "PatientSex" or text in (b"M", b"F", b"O")


def _is_date(text: bytes) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(datetime.datetime.strptime(text.decode(), "%Y%m%d"))
    except ValueError:
        return False


def _moment(dataset: Dataset) -> tuple[str, str]:
    """Return date and time of the content; the time of the same moment as the date."""
    for word in MOMENTS:
        date, time = _stored(dataset, f"{word}Date"), _stored(dataset, f"{word}Time")
        if _is_date(date):
            return date.decode(), time.decode() if _TIME.fullmatch(time) else "000000"
    return "", ""


def _place(dataset: Dataset) -> Dataset:
    """Return the frame of reference with the plane in it, or nothing where any of it is missing or makes no sense."""
    place = Dataset()
    uid = _text(dataset, "FrameOfReferenceUID")
    counts = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "SliceThickness": 1}
    try:
        values = {keyword: numbers(dataset, keyword) for keyword in counts}
    except ImageReadError:
        return place
    if not UID(uid).is_valid or any(len(values[keyword]) != count for keyword, count in counts.items()):
        return place
    place.FrameOfReferenceUID = uid
    for keyword, value in values.items():
        texts = [format_number_as_ds(number) for number in value]
        setattr(place, keyword, texts if len(texts) > 1 else texts[0])
    return place


def _number(dataset: Dataset, keyword: str, otherwise: int) -> int:
    """Return a positive whole number."""
    try:
        values = numbers(dataset, keyword)
    except ImageReadError:
        return otherwise
    return int(values[0]) if len(values) == 1 and 1 <= values[0] < 2**31 else otherwise


def _text(dataset: Dataset, keyword: str) -> str:
    return _stored(dataset, keyword).decode("latin-1")


def _stored(dataset: Dataset, keyword: str) -> bytes:
    """Return a text element's bytes without padding, empty where it is absent; what was set in memory is encoded."""
    if keyword not in dataset:
        return b""
    item: Any = dataset.get_item(keyword)
    if isinstance(item.value, bytes):
        return item.value.strip(b" \0")
    if item.value is None or item.VR == "SQ":
        return b""
    several = item.value if isinstance(item.value, (list, MultiValue)) else [item.value]
    encodings = convert_encodings(_charset(dataset))
    return b"\\".join(_encode(value, encodings) for value in several).strip(b" \0")


def _charset(dataset: Dataset) -> Any:
    return dataset.get("SpecificCharacterSet") or "ISO_IR 6"


def _encode(value: Any, encodings: Sequence[str]) -> bytes:
    if isinstance(value, PersonName):
        return value.encode(encodings)
    return encode_string(str(value), list(encodings))


def raw_element(keyword: str, text: bytes) -> RawDataElement:
    """Return an element that is written as it is, padded to an even length.

    Args:
        keyword: its name.
        text: its value as it is stored.
    """
    padding = b"\0" if dictionary_VR(keyword) == "UI" else b" "
    value = text + padding * (len(text) % 2)
    return RawDataElement(Tag(keyword), dictionary_VR(keyword), len(value), value, 0, False, True)
