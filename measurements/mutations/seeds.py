# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whole files of every kind that is read; mutations start from them."""

from __future__ import annotations

import gzip
import io
import zlib
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

__all__ = ["REAL_FILES", "seeds"]

REAL_FILES = (
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "examples_palette.dcm",
    "examples_jpeg2k.dcm",
    "ExplVR_BigEnd.dcm",
    "dicomdirtests/77654033/CR1/6154",
    "MR_small_RLE.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "693_J2KI.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "JPGExtended.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_jls_lossy_line.dcm",
)
"""Files of pydicom's own tests: every photometric interpretation and compression that is read."""


@cache
def seeds() -> tuple[tuple[str, bytes], ...]:
    """Return the suffix and the content of each file."""
    found = [(".dcm", Path(str(get_testdata_file(name, download=False))).read_bytes()) for name in REAL_FILES]
    picture = dcmread(io.BytesIO(found[0][1])).pixel_array
    for syntax in (JPEGLSLossless, JPEG2000Lossless, RLELossless):
        found.append((".dcm", _compressed(found[0][1], syntax)))
    found.append((".dcm", _with_groups(found[5][1])))
    return (*found, *_pictures(picture), *_arrays(picture))


def _compressed(content: bytes, syntax: UID) -> bytes:
    dataset = dcmread(io.BytesIO(content))
    dataset.compress(syntax, generate_instance_uid=False)
    return _written(dataset)


def _with_groups(content: bytes) -> bytes:
    """Return a DICOM file with functional groups for its one frame, and regions, in sequences of both lengths."""
    dataset = dcmread(io.BytesIO(content))
    window, holder, region = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = "100", "200"
    holder.FrameVOILUTSequence = [window]
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = dataset.Columns - 1, dataset.Rows - 1
    dataset.SequenceOfUltrasoundRegions = [region]
    dataset.PerFrameFunctionalGroupsSequence = [holder]
    dataset["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    return _written(dataset)


def _written(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def _pictures(picture: np.ndarray) -> list[tuple[str, bytes]]:
    gray = Image.fromarray(picture[..., 0])
    color = Image.fromarray(picture)
    deep = Image.fromarray(picture[..., 0].astype(np.uint16) * 257)
    return [
        (".png", _saved(color, "PNG")),
        (".png", _saved(gray, "PNG")),
        (".png", _saved(deep, "PNG")),
        (".png", _saved(color.quantize(16), "PNG")),
        (".jpg", _saved(color, "JPEG")),
        (".jpg", _saved(gray, "JPEG", exif=_turned())),
        (".jpg", _saved(color, "JPEG", progressive=True)),
        (".bmp", _saved(color, "BMP")),
        (".bmp", _saved(gray, "BMP")),
        (".tif", _saved(color, "TIFF")),
        (".tif", _saved(gray, "TIFF", compression="tiff_lzw")),
        (".tif", _saved(deep, "TIFF", compression="tiff_deflate")),
        (".tif", _saved(gray, "TIFF", compression="packbits", save_all=True, append_images=[gray, gray])),
    ]


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _arrays(picture: np.ndarray) -> list[tuple[str, bytes]]:
    """Return NIfTI, NRRD and MetaImage, raw and packed."""
    gray = picture[..., 0]
    rows, columns = gray.shape
    unit = gray.T.astype(np.float32) / 255
    first = nibabel.Nifti1Image(unit, np.eye(4)).to_bytes()
    second = nibabel.Nifti2Image(gray.T.copy(), np.eye(4)).to_bytes()
    nrrd = f"NRRD0004\ntype: uint8\ndimension: 2\nsizes: {columns} {rows}\nencoding: %s\n\n"
    meta = f"ObjectType = Image\nNDims = 2\nDimSize = {columns} {rows}\nElementType = MET_UCHAR\n%s"
    meta += "ElementDataFile = LOCAL\n"
    packed = zlib.compress(gray.tobytes())
    return [
        (".nii", first),
        (".nii", second),
        (".nii.gz", gzip.compress(first, mtime=0)),
        (".nrrd", (nrrd % "raw").encode() + gray.tobytes()),
        (".nrrd", (nrrd % "gzip").encode() + gzip.compress(gray.tobytes(), mtime=0)),
        (".mha", (meta % "").encode() + gray.tobytes()),
        (".mha", (meta % f"CompressedData = True\nCompressedDataSize = {len(packed)}\n").encode() + packed),
    ]
