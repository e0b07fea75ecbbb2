# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a DICOM header must say before its pixels are touched.

The checks run from cheap to dear; nothing is inflated before its size is known. No header value reaches a message.
"""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydicom import dcmread, uid
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels.decoders.base import get_decoder

from monai_anomaly.data.decoded import ReadLimits, boundary, check_budget
from monai_anomaly.data.errors import ImageReadError

__all__ = ["DicomHeader", "element", "numbers", "quiet_pydicom", "read_header"]

DECODERS: dict[str, tuple[str, ...]] = {
    uid.ImplicitVRLittleEndian: (),
    uid.ExplicitVRLittleEndian: (),
    uid.ExplicitVRBigEndian: (),
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: ("pillow",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("gdcm",),
    uid.JPEG2000: ("gdcm",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.RLELossless: ("pylibjpeg", "pydicom"),
}
"""Transfer syntaxes that are read, each with one decoder, because lossy decoders differ by a few gray levels and what
is read must not depend on what else is installed (RLE is exact, so the faster one may be taken). Deflated files
inflate before any limit can be checked, so they are left out, like videos."""

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
MAX_SLOPE = 1e6

_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_stack = ExitStack()


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
    bits: int
    signed: bool
    warnings: list[str]


def read_header(stream: BinaryIO, limits: ReadLimits) -> DicomHeader:
    """Reads and checks a header; leaves the stream where the pixel data element starts.

    Args:
        stream: the open file.
        limits: checked against the header's sizes.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    with boundary("reading the DICOM file meta information"):
        stream.seek(0)
        read_preamble(stream, force=False)
        meta = _read_file_meta_info(stream)
    syntax = _check_syntax(meta)
    with boundary("reading the DICOM header"):
        stream.seek(0)
        dataset = dcmread(stream, stop_before_pixels=True)
    with boundary("checking the DICOM header"):
        for keyword in REQUIRED:
            if dataset.get(keyword) in (None, ""):
                raise ImageReadError("missing_tag", f"{element(keyword)} is missing; export the image again.")
        for keyword in ("SOPClassUID", "SOPInstanceUID"):
            if not uid.UID(str(dataset[keyword].value)).is_valid:
                raise ImageReadError("inconsistent", f"{element(keyword)} is not a valid UID; export the image again.")
        _check_numbers(dataset)
        return _check_layout(dataset, uid.UID(syntax), limits)


def element(keyword: str) -> str:
    """Returns a data element by tag and name, as the standard writes it, e.g. ``(0028,0010) Rows``."""
    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_description(tag)}"


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Returns the numbers of an element, an empty list when it is absent or empty.

    Args:
        dataset: the header.
        keyword: the element's DICOM keyword.

    Raises:
        ImageReadError: ``non_finite`` for anything that is not a finite number.
    """
    try:
        value: Any = dataset.get(keyword)
        if value is None or value == "":
            return []
        found = [float(v) for v in (value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value])]
    except (TypeError, ValueError, OverflowError):
        raise ImageReadError("non_finite", f"{element(keyword)} is not a number; correct the export.") from None
    if not all(math.isfinite(v) for v in found):
        raise ImageReadError("non_finite", f"{element(keyword)} is not a finite number; correct the export.")
    return found


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom's warnings, which quote header values, off the terminal and out of logs; safe among threads."""
    global _quiet_users
    logger = logging.getLogger("pydicom")
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            logger.addFilter(_drop)
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                logger.removeFilter(_drop)
                _quiet_stack.close()


def _drop(_: logging.LogRecord) -> bool:
    return False


def _check_syntax(meta: Dataset) -> str:
    """Returns the transfer syntax if it is on the allow list and its decoder is installed."""
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        raise ImageReadError("missing_tag", f"{element('TransferSyntaxUID')} is missing; export the image again.")
    if syntax not in DECODERS:
        name = uid.UID(syntax).name
        name = "(private or unknown)" if name == syntax else name
        raise ImageReadError(
            "unsupported_transfer_syntax",
            f"transfer syntax {name} is not read; export the image uncompressed or as JPEG, JPEG-LS, JPEG 2000 or RLE.",
        )
    return str(syntax)


def _choose_decoder(syntax: uid.UID) -> str:
    """Returns the first installed plug-in of a compressed transfer syntax."""
    wanted = DECODERS[syntax]
    if not wanted:
        return ""
    installed = get_decoder(syntax).available_plugins
    for name in wanted:
        if name in installed:
            return name
    package = {"gdcm": "python-gdcm", "pylibjpeg": "pylibjpeg pylibjpeg-openjpeg"}.get(wanted[0], wanted[0])
    raise ImageReadError(
        "unsupported_transfer_syntax", f"decoding {syntax.name} needs another package: pip install {package}."
    )


def _check_numbers(dataset: Dataset) -> None:
    """Refuses number strings that are used later and are not numbers."""
    for keyword in ("RescaleIntercept", "WindowCenter", "WindowWidth", "PixelSpacing", "ImagerPixelSpacing"):
        numbers(dataset, keyword)
    slope = numbers(dataset, "RescaleSlope")
    if slope and (slope[0] == 0 or abs(slope[0]) > MAX_SLOPE):
        raise ImageReadError(
            "non_finite", f"{element('RescaleSlope')} is 0 or beyond {MAX_SLOPE:g}; correct the export."
        )


def _check_layout(dataset: Dataset, syntax: uid.UID, limits: ReadLimits) -> DicomHeader:
    """Checks that the elements that describe the pixels agree with each other and with the limits."""
    rows, columns, samples, allocated, bits, sign = (
        _whole(dataset, keyword)
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    photometric = str(dataset.PhotometricInterpretation).strip()
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
    if allocated not in (1, 8, 16, 32) or not 1 <= bits <= allocated or sign not in (0, 1):
        raise ImageReadError(
            "inconsistent",
            f"{element('BitsAllocated')} {allocated} and {element('BitsStored')} {bits} do not describe a pixel; "
            "correct the export.",
        )
    notes: list[str] = []
    frames = int((numbers(dataset, "NumberOfFrames") or [1])[0])
    if frames < 0:
        raise ImageReadError("frame_count", f"{element('NumberOfFrames')} is negative; correct the export.")
    if frames == 0:
        notes.append(f"{element('NumberOfFrames')} is 0; it was taken as 1")
        frames = 1
    check_budget(limits, rows=rows, columns=columns, frames=frames, bytes_per_pixel=samples * max(allocated // 8, 1))
    if syntax == uid.JPEGExtended12Bit and bits > 8:
        raise ImageReadError(
            "unsupported_transfer_syntax",
            "JPEG with 12 bits has no decoder but the GPL-licensed pylibjpeg-libjpeg, which is not used here; "
            "export the image uncompressed or as JPEG lossless.",
        )
    return DicomHeader(
        dataset, syntax, _choose_decoder(syntax), rows, columns, samples, frames, photometric, bits, bool(sign), notes
    )


def _whole(dataset: Dataset, keyword: str) -> int:
    value = dataset[keyword].value
    if not isinstance(value, int):
        raise ImageReadError("inconsistent", f"{element(keyword)} is not one whole number; correct the export.")
    return value
