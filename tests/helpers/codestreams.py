# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Compressed frames for tests, and DICOM files around them."""

from __future__ import annotations

import io
from typing import Any

import gdcm
import numpy as np
from openjpeg.utils import encode_array
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, JPEGLSLossless, RLELossless

from tests.helpers.dicom_files import make_dataset

__all__ = ["encode_jpeg2000", "encode_jpeg_lossless", "encode_jpeg_ls", "encode_run_lengths", "wrap"]


def wrap(codes: list[bytes] | bytes, syntax: UID, pixels: np.ndarray, **elements: Any) -> Dataset:
    """Return a data set for these pixels with these codestreams in it, whatever they hold."""
    dataset = make_dataset(pixels, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([codes] if isinstance(codes, bytes) else codes)
    dataset["PixelData"].is_undefined_length = True
    return dataset


def encode_jpeg2000(pixels: np.ndarray, bits: int, **options: Any) -> bytes:
    """Return a JPEG 2000 codestream of gray values, whose sign is that of their type."""
    return bytes(encode_array(pixels, bits_stored=bits, photometric_interpretation=2, **options))


def encode_jpeg_ls(pixels: np.ndarray, bits: int) -> bytes:
    """Return a JPEG-LS of gray values."""
    return _compress(pixels, JPEGLSLossless, bits)


def encode_run_lengths(pixels: np.ndarray) -> bytes:
    """Return the run lengths of gray values."""
    return _compress(pixels, RLELossless, 8 * pixels.dtype.itemsize)


def encode_jpeg_lossless(pixels: np.ndarray, folder: Any) -> bytes:
    """Return a lossless JPEG of gray values; GDCM writes files only."""
    make_dataset(pixels).save_as(folder / "native.dcm", enforce_file_format=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "native.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(folder / "lossless.dcm"))
    assert writer.Write()
    return _first_frame(dcmread(folder / "lossless.dcm")).rstrip(b"\0")


def _compress(pixels: np.ndarray, syntax: UID, bits: int) -> bytes:
    dataset = make_dataset(pixels, BitsStored=bits, HighBit=bits - 1)
    plugin = "pydicom" if syntax == RLELossless else ""  # GDCM's aborts the process for an odd size
    dataset.compress(syntax, generate_instance_uid=False, encoding_plugin=plugin)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    frame = _first_frame(dcmread(stream))
    return frame if syntax == RLELossless else frame.rstrip(b"\0")


def _first_frame(dataset: Dataset) -> bytes:
    return next(generate_frames(dataset.PixelData, number_of_frames=1))
