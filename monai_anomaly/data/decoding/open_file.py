# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a path to the decoder of what lies there; imports neither PyTorch nor MONAI.

Decoders are imported with the first file of their kind: nibabel and pydicom take a quarter of a second, which a process
that reads PNG files only need not spend.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from os import PathLike
from types import ModuleType
from typing import Any, BinaryIO, cast

from monai_anomaly.data.errors import boundary
from monai_anomaly.data.file_kind import check_regular, find_kind
from monai_anomaly.data.frame_source import FrameSource
from monai_anomaly.data.rasters.lesion_mask import MaskSource
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["ReadRules", "load_decoder", "open_dicom", "open_file", "open_mask", "tell_kind"]

DECODERS = {
    "raster": "monai_anomaly.data.rasters.pillow_image",
    "tiff": "monai_anomaly.data.rasters.tiff_image",
    "dicom": "monai_anomaly.data.dicom.dicom_image",
    "nifti": "monai_anomaly.data.arrays.nifti",
    "nrrd": "monai_anomaly.data.arrays.itk_image",
    "metaimage": "monai_anomaly.data.arrays.itk_image",
}
"""Module of each kind of file."""


@dataclass(frozen=True)
class ReadRules:
    """What a reader was told about pixels; arguments as of :class:`.ClinicalImageReader`."""

    voi: bool = True
    masks: bool = True
    for_processing: bool = False
    frames_axis: int | None = None
    value_range: tuple[float, float] | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    enough: int | None = None


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
def open_file(path: PathLike | str, kind: str, rules: ReadRules, key: bytes | None) -> Iterator[FrameSource]:
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
    source: FrameSource = load_decoder("dicom").DicomSource(
        stream, rules.limits, key=key, voi=rules.voi, masks=rules.masks, for_processing=rules.for_processing
    )
    return source


@contextmanager
def open_mask(path: PathLike | str, kind: str, rules: ReadRules) -> Iterator[MaskSource]:
    """Open a file that is to be a mask; arguments and errors as of :func:`open_file`.

    Windows, ranges and padding are an image's, and not a mask's.
    """
    with open_file(path, kind, replace(rules, voi=False, masks=False, value_range=None), None) as source:
        yield cast(MaskSource, source)


def load_decoder(kind: str) -> ModuleType:
    """Return the module that decodes a kind of file, imported if it was not."""
    return import_module(DECODERS[kind])


def _make_source(kind: str, stream: BinaryIO, rules: ReadRules, key: bytes | None) -> FrameSource:
    if kind == "dicom":
        return open_dicom(stream, rules, key)
    module: Any = load_decoder(kind)
    source: FrameSource
    if kind == "raster":
        source = module.RasterSource(stream, rules.limits, rules.enough)
    elif kind == "tiff":
        source = module.TiffSource(stream, rules.limits)
    else:
        arrays: dict[str, Any] = {"frames_axis": rules.frames_axis, "value_range": rules.value_range}
        if kind in ("nrrd", "metaimage"):
            source = module.ItkSource(stream, stream.name, rules.limits, kind=kind, **arrays)
        else:
            source = module.NiftiSource(stream, rules.limits, voi=rules.voi, **arrays)
    return source
