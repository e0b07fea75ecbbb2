# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a DICOM header says that its pixels are laid out: DICOM PS3.3 C.7.6.3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.elements import element, single, word
from monai_anomaly.data.dicom.syntax import choose_decoder
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = ["DicomHeader", "check_layout"]

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


def check_layout(dataset: Dataset, syntax: uid.UID, limits: ReadLimits) -> DicomHeader:
    """Check that the elements that describe the pixels agree with each other and with the limits.

    Args:
        dataset: the header.
        syntax: its transfer syntax.
        limits: checked against the sizes.

    Raises:
        ImageReadError: whatever is wrong.
    """
    rows, columns, samples, allocated, bits, sign = (
        _whole(dataset, keyword)
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    photometric = word(dataset, "PhotometricInterpretation")
    _check_samples(dataset, photometric, samples, sign)
    _check_depth(allocated, bits, sign)
    _check_bits(dataset, bits)
    _check_colors(dataset, photometric, syntax)
    frames, notes = _frames(dataset)
    _check_size(limits, rows, columns, frames, samples * max(allocated // 8, 1))
    return DicomHeader(
        dataset=dataset,
        syntax=syntax,
        decoder=choose_decoder(syntax),
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


def _check_samples(dataset: Dataset, photometric: str, samples: int, sign: int) -> None:
    """Refuse numbers for each pixel that are not those of its colors."""
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


def _check_depth(allocated: int, bits: int, sign: int) -> None:
    """Refuse bits that make no number."""
    if allocated not in (1, 8, 16, 32) or not 1 <= bits <= allocated or sign not in (0, 1):
        raise ImageReadError(
            "inconsistent",
            f"{element('BitsAllocated')} {allocated}, {element('BitsStored')} {bits} and "
            f"{element('PixelRepresentation')} {sign} do not describe a pixel; correct the export.",
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
