# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a path to the decoder of what lies there; imports what decoding needs, and neither PyTorch nor MONAI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, BinaryIO

from monai_anomaly.data.arrays.itk_image import ItkSource
from monai_anomaly.data.arrays.nifti import NiftiSource
from monai_anomaly.data.dicom.dicom_image import DicomSource
from monai_anomaly.data.errors import boundary
from monai_anomaly.data.file_kind import check_regular, find_kind
from monai_anomaly.data.frame_source import FrameSource
from monai_anomaly.data.rasters.pillow_image import RasterSource
from monai_anomaly.data.rasters.tiff_image import TiffSource
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["ReadRules", "open_dicom", "open_file", "open_mask", "tell_kind"]


@dataclass(frozen=True)
class ReadRules:
    """What a reader was told about pixels; arguments as of :class:`.ClinicalImageReader`."""

    voi: bool = True
    masks: bool = True
    for_processing: bool = False
    frames_axis: int | None = None
    value_range: tuple[float, float] | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)


def tell_kind(path: PathLike | str) -> str:
    """Return what a file is, as :func:`.find_kind` tells; its first bytes only are read.

    Raises:
        ImageReadError: for what is no file, or none of the formats.
    """
    with boundary("reading the file"):
        check_regular(path)
        with open(path, "rb") as stream:
            return find_kind(stream, path)


@contextmanager
def open_file(path: PathLike | str, kind: str, rules: ReadRules, key: bytes) -> Iterator[FrameSource]:
    """Open a file with the decoder of its kind; every error in the block becomes one class.

    Args:
        path: the file.
        kind: what :func:`tell_kind` returned.
        rules: how it is read.
        key: the site's key, for DICOM.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    with boundary("reading the file"):
        stream = open(path, "rb")
    with stream, boundary("reading the file"):
        yield _make_source(kind, stream, rules, key)


def open_dicom(stream: BinaryIO, rules: ReadRules, key: bytes | None) -> FrameSource:
    """Return the decoder of a DICOM file that is open; arguments as of :class:`.DicomSource`."""
    return DicomSource(
        stream, rules.limits, key=key, voi=rules.voi, masks=rules.masks, for_processing=rules.for_processing
    )


@contextmanager
def open_mask(path: PathLike | str, rules: ReadRules) -> Iterator[tuple[BinaryIO, FrameSource | None]]:
    """Open a file that is to be a mask; a picture file is as it is, any other has its decoder, for stored values.

    Every error in the block becomes one class.

    Args:
        path: the file.
        rules: how images are read; windows and ranges are theirs, not a mask's.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    with boundary("reading the mask"):
        check_regular(path)
        with open(path, "rb") as stream:
            kind = find_kind(stream, path)
            stored = replace(rules, voi=False, masks=False, value_range=(0.0, 1.0))  # what is above 0 is above black
            yield stream, None if kind == "raster" else _make_source(kind, stream, stored, None)


def _make_source(kind: str, stream: BinaryIO, rules: ReadRules, key: bytes | None) -> FrameSource:
    if kind == "raster":
        return RasterSource(stream, rules.limits)
    if kind == "tiff":
        return TiffSource(stream, rules.limits)
    if kind == "dicom":
        return open_dicom(stream, rules, key)
    arrays: dict[str, Any] = {"frames_axis": rules.frames_axis, "value_range": rules.value_range}
    if kind in ("nrrd", "metaimage"):
        return ItkSource(stream, stream.name, rules.limits, kind=kind, **arrays)
    return NiftiSource(stream, rules.limits, voi=rules.voi, **arrays)
