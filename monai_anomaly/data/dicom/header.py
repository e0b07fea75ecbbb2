# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a DICOM header must say before its pixels are touched.

The checks run from cheap to dear; nothing is inflated before its size is known. No header value reaches a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.elements import element, numbers, quiet_pydicom, single, word
from monai_anomaly.data.dicom.file_meta import read_file_meta
from monai_anomaly.data.dicom.syntax import check_syntax, choose_decoder
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = ["DicomHeader", "check_numbers", "element", "numbers", "quiet_pydicom", "read_header"]

SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
REQUIRED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
FOR_PROCESSING = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1.1.1", "1.2.1", "1.3.1", "13.1.5")
)  # DX, MG, intra-oral, breast projection
ENHANCED_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.2"
MAX_SLOPE = 1e6
MAX_ELEMENT = 64 * 2**20  # bytes; an overlay of the largest frame has 8 Mi, functional groups of 2,000 frames fewer


@dataclass(frozen=True)
class DicomHeader:
    """A header that passed every check.

    Args:
        dataset: the data set without its pixels.
        syntax: transfer syntax.
        decoder: name of the pydicom decoding plug-in, empty for uncompressed pixels.
        rows: rows of a frame.
        columns: columns of a frame.
        samples: values per pixel, 1 or 3.
        frames: number of frames.
        photometric: photometric interpretation.
        allocated: bits allocated.
        bits: bits stored.
        signed: whether stored values have a sign.
        warnings: what was tolerated.
    """

    dataset: Dataset
    syntax: uid.UID
    decoder: str
    rows: int
    columns: int
    samples: int
    frames: int
    photometric: str
    allocated: int
    bits: int
    signed: bool
    warnings: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype:
        """Type of stored gray values and of indices into a palette."""
        sign = "i" if self.signed and self.allocated > 1 else "u"
        return np.dtype(f"{sign}{max(self.allocated // 8, 1)}")


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
        meta = read_file_meta(stream)
        _check_class(meta, "MediaStorageSOPClassUID")
    syntax = check_syntax(meta)
    with boundary("reading the DICOM header"):
        stream.seek(0)
        dataset = dcmread(stream, stop_before_pixels=True, defer_size=MAX_ELEMENT)
        _drop_large(dataset)
    with boundary("checking the DICOM header"):
        _check_class(dataset, "SOPClassUID")
        for keyword in REQUIRED:
            if dataset.get(keyword) in (None, ""):
                raise ImageReadError("missing_tag", f"{element(keyword)} is missing; export the image again.")
        for keyword in ("SOPClassUID", "SOPInstanceUID"):
            if not uid.UID(str(dataset[keyword].value)).is_valid:
                raise ImageReadError("inconsistent", f"{element(keyword)} is not a valid UID; export the image again.")
        if not for_processing:
            _check_intent(dataset)
        check_numbers(dataset)
        return _check_layout(dataset, syntax, limits)


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


def _check_intent(dataset: Dataset) -> None:
    """Refuse the detector's raw image: not what a viewer shows, and not what a model was trained on."""
    intent = word(dataset, "PresentationIntentType")
    if intent != "FOR PROCESSING" and dataset.SOPClassUID not in FOR_PROCESSING:
        return
    keyword = "PresentationIntentType" if intent else "SOPClassUID"
    raise ImageReadError(
        "for_processing",
        f"{element(keyword)} says that this image is for processing, not for presentation; export the image for "
        "presentation, or set for_processing=True for a model of such images.",
    )


def _check_layout(dataset: Dataset, syntax: uid.UID, limits: ReadLimits) -> DicomHeader:
    """Check that the elements that describe the pixels agree with each other and with the limits."""
    rows, columns, samples, allocated, bits, sign = (
        _whole(dataset, keyword)
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    photometric = word(dataset, "PhotometricInterpretation")
    if photometric not in SAMPLES:
        raise ImageReadError(
            "unsupported_photometric",
            f"{element('PhotometricInterpretation')} must be one of {', '.join(SAMPLES)}; export it so.",
        )
    if samples != SAMPLES[photometric]:
        raise ImageReadError(
            "inconsistent",
            f"{element('SamplesPerPixel')} is {samples}, but {photometric} has {SAMPLES[photometric]}; export again.",
        )
    if samples == 3 and sign == 1:
        raise ImageReadError(
            "inconsistent", f"{element('PixelRepresentation')} gives colors a sign; export the image again."
        )
    if samples == 3 and dataset.get("PlanarConfiguration") not in (0, 1):
        raise ImageReadError("missing_tag", f"{element('PlanarConfiguration')} must be 0 or 1; export the image again.")
    if allocated not in (1, 8, 16, 32) or not 1 <= bits <= allocated or sign not in (0, 1):
        raise ImageReadError(
            "inconsistent",
            f"{element('BitsAllocated')} {allocated}, {element('BitsStored')} {bits} and "
            f"{element('PixelRepresentation')} {sign} do not describe a pixel; correct the export.",
        )
    _check_bits(dataset, bits)
    _check_colors(dataset, photometric, syntax)
    frames, notes = _frames(dataset)
    _check_size(limits, rows, columns, frames, samples * max(allocated // 8, 1))
    return DicomHeader(
        dataset=dataset,
        syntax=syntax,
        decoder=choose_decoder(syntax, bits),
        rows=rows,
        columns=columns,
        samples=samples,
        frames=frames,
        photometric=photometric,
        allocated=allocated,
        bits=bits,
        signed=bool(sign),
        warnings=notes,
    )


def _check_bits(dataset: Dataset, bits: int) -> None:
    """Refuse values that do not begin at the lowest bit; the standard allows no others, and old writers made them."""
    high = dataset.get("HighBit")
    if high not in (None, "", bits - 1):
        raise ImageReadError(
            "inconsistent",
            f"{element('HighBit')} must be one less than {element('BitsStored')}, {bits}; export the image again.",
        )


def _check_colors(dataset: Dataset, photometric: str, syntax: uid.UID) -> None:
    """Refuse what uncompressed pixels cannot be."""
    if syntax.is_compressed:
        return
    if photometric in ("YBR_ICT", "YBR_RCT"):
        raise ImageReadError(
            "inconsistent",
            f"{element('PhotometricInterpretation')} is {photometric}, which is for JPEG 2000 only; export as RGB.",
        )
    if photometric == "YBR_FULL_422" and dataset.PlanarConfiguration == 1:
        raise ImageReadError(
            "inconsistent", f"{element('PlanarConfiguration')} is 1, but YBR_FULL_422 has no planes; export as RGB."
        )


def _frames(dataset: Dataset) -> tuple[int, tuple[str, ...]]:
    """Return the number of frames, at least 1, and what was tolerated."""
    frames = single(dataset, "NumberOfFrames")
    if frames is None:
        return 1, ()
    if not frames.is_integer():
        raise ImageReadError("inconsistent", f"{element('NumberOfFrames')} is no whole number; correct the export.")
    if frames < 0:
        raise ImageReadError("frame_count", f"{element('NumberOfFrames')} is negative; correct the export.")
    if frames == 0:
        return 1, (f"{element('NumberOfFrames')} is 0; it was taken as 1",)
    return int(frames), ()


def _check_size(limits: ReadLimits, rows: int, columns: int, frames: int, bytes_per_pixel: int) -> None:
    """Keep to the budget, with the elements that ask for too much by name."""
    if rows < 1 or columns < 1:
        raise ImageReadError(
            "inconsistent", f"{element('Rows')} or {element('Columns')} is less than 1; export the image again."
        )
    try:
        check_budget(limits, rows=rows, columns=columns, frames=frames, bytes_per_pixel=bytes_per_pixel)
    except ImageReadError as error:
        names = ", ".join(element(keyword) for keyword in ("Rows", "Columns", "NumberOfFrames"))
        raise ImageReadError(error.code, f"{names}: {error.message}") from None


def _whole(dataset: Dataset, keyword: str) -> int:
    value = dataset[keyword].value
    if not isinstance(value, int):
        raise ImageReadError("inconsistent", f"{element(keyword)} is not one whole number; correct the export.")
    return value
