# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a DICOM header must say before its pixels are touched.

The checks run from cheap to dear; nothing is inflated before its size is known. No header value reaches a message.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.bounds import Budget, bound_elements, bounded
from monai_anomaly.data.dicom.elements import element, numbers, single, word
from monai_anomaly.data.dicom.file_meta import read_file_meta
from monai_anomaly.data.dicom.layout import DicomHeader, check_layout
from monai_anomaly.data.dicom.syntax import check_syntax
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["check_numbers", "read_header"]

REQUIRED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
FOR_PROCESSING = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1.1.1", "1.2.1", "1.3.1", "13.1.5")
)  # DX, MG, intra-oral, breast projection
ENHANCED_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.2"
MAX_SLOPE = 1e6
MAX_ELEMENT = 64 * 2**20  # bytes; an overlay of the largest frame has 8 Mi, functional groups of 2,000 frames fewer


def read_header(stream: BinaryIO, limits: ReadLimits, *, for_processing: bool = False) -> DicomHeader:
    """Read and check a header; leaves the stream where the pixel data element starts.

    Args:
        stream: the open file.
        limits: checked against the header's sizes.
        for_processing: accept images that are not meant to be looked at.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    with boundary("reading the DICOM file meta information"):
        stream.seek(0)
        budget = Budget()
        with budget.enforced():
            meta = read_file_meta(bounded(stream, budget))
        _check_class(meta, "MediaStorageSOPClassUID")
    syntax = check_syntax(meta)
    with boundary("reading the DICOM header"):
        stream.seek(0)
        with budget.enforced():
            dataset = dcmread(bounded(stream, budget), stop_before_pixels=True, defer_size=MAX_ELEMENT)
        _drop_large(dataset)
        bound_elements(dataset, budget)
    with boundary("checking the DICOM header"):
        _check_class(dataset, "SOPClassUID")
        for keyword in REQUIRED:
            if dataset.get(keyword) in (None, ""):
                raise ImageReadError("missing_tag", f"{element(keyword)} is missing; export the image again.")
        if not for_processing:
            _check_intent(dataset, meta)
        check_numbers(dataset)
        header = check_layout(dataset, syntax, limits)
        return replace(header, warnings=(*header.warnings, *_missing_uids(dataset)))


def check_numbers(dataset: Dataset) -> None:
    """Refuse number strings that are used later and are not numbers.

    Args:
        dataset: the header, or what holds for one frame.

    Raises:
        ImageReadError: ``non_finite``.
    """
    for keyword in ("WindowCenter", "WindowWidth", "PixelSpacing", "ImagerPixelSpacing"):
        numbers(dataset, keyword)
    single(dataset, "RescaleIntercept")
    slope = single(dataset, "RescaleSlope")
    if slope is not None and (slope == 0 or abs(slope) > MAX_SLOPE):
        raise ImageReadError(
            "non_finite", f"{element('RescaleSlope')} is 0 or beyond {MAX_SLOPE:g}; correct the export."
        )


def _drop_large(dataset: Dataset) -> None:
    """Leave out private elements that were too large to be read into memory; refuse others, which may count."""
    large = [
        tag
        for tag, item in dataset.items()
        if isinstance(item, RawDataElement) and item.value is None and item.length > MAX_ELEMENT
    ]
    for tag in large:
        if not tag.is_private:
            raise ImageReadError(
                "budget",
                f"({tag.group:04X},{tag.element:04X}) is longer than {MAX_ELEMENT} bytes, more than a header needs; "
                "export the image again.",
            )
        del dataset[tag]


def _check_class(dataset: Dataset, keyword: str) -> None:
    """Refuse what the standard knows as something other than an image; private classes may pass."""
    kind = uid.UID(word(dataset, keyword))
    if not kind.is_valid or kind.name == kind or "Image Storage" in kind.name or kind == ENHANCED_ULTRASOUND:
        return
    raise ImageReadError(
        "not_an_image", f"{element(keyword)} says {kind.name}, which is no image; take it off the list."
    )


def _missing_uids(dataset: Dataset) -> list[str]:
    """Return a warning for each UID that is not there or is none, as anonymizers leave them; no pixel depends on it."""
    return [
        f"{element(keyword)} is missing or no UID; the image was read without it"
        for keyword in UIDS
        if not uid.UID(word(dataset, keyword)).is_valid
    ]


def _check_intent(dataset: Dataset, meta: Dataset) -> None:
    """Refuse the detector's raw image: not what a viewer shows, and not what a model was trained on."""
    intent = word(dataset, "PresentationIntentType")
    sop_class = word(dataset, "SOPClassUID") or word(meta, "MediaStorageSOPClassUID")
    if intent != "FOR PROCESSING" and sop_class not in FOR_PROCESSING:
        return
    keyword = "PresentationIntentType" if intent else "SOPClassUID"
    raise ImageReadError(
        "for_processing",
        f"{element(keyword)} says that this image is for processing, not for presentation; export the image for "
        "presentation, or set for_processing=True for a model of such images.",
    )
