# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Small DICOM files for tests, written with pydicom, and how tests read them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader

CR1 = "dicomdirtests/77654033/CR1/6154"

READER = ClinicalImageReader(channels=None)


def make_dataset(pixels: np.ndarray, photometric: str = "MONOCHROME2", **elements: Any) -> Dataset:
    """Return an uncompressed ultrasound image; ``pixels`` is ``(H, W)``, ``(H, W, 3)`` or ``(T, H, W)``."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    color = pixels.ndim == 3 and pixels.shape[-1] == 3
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName = "ZZCANARY^JANE"
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if color else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if color else 1
    if color:
        dataset.PlanarConfiguration = 0
    if pixels.ndim == 3 and not color:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return dataset


def save(path: Path, dataset: Dataset) -> str:
    """Write a data set, however wrong, and return its path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(path, enforce_file_format=True)
    return str(path)


def read(path: Path | str, reader: ClinicalImageReader = READER, frame: int | None = None) -> tuple[np.ndarray, Any]:
    """Return one frame's image and meta data."""
    return reader.get_data(reader.read(path, frame))


def refusal(path: Path | str, reader: ClinicalImageReader = READER, frame: int | None = None) -> ImageReadError:
    """Return the error that a file ends in."""
    with pytest.raises(ImageReadError) as caught:
        read(path, reader, frame)
    return caught.value


def bundled(name: str) -> str:
    """Return the path of one of pydicom's own test files."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return path


def make_region(box: tuple[int, int, int, int], *, kind: int = 1, delta: float = 0.02, **elements: Any) -> Dataset:
    """Return an ultrasound region with the stored, inclusive box ``(x0, y0, x1, y1)``."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = kind, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0, item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = delta
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
