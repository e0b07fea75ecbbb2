# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A generated picture as a DICOM computed radiography image."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_anomaly.phantom.chest.anatomy import Array
from monai_anomaly.phantom.chest.console import Settings
from monai_anomaly.phantom.dicom import new_dataset

__all__ = ["make_dataset"]

CR_IMAGE = UID("1.2.840.10008.5.1.4.1.1.1")
_BITS = 12


def make_dataset(picture: Array, *, words: tuple[str, ...], patient: str, number: int, settings: Settings) -> Dataset:
    """Return a DICOM data set of a generated radiograph.

    Args:
        picture: (rows, columns); 0 is black and 1 is white.
        words: what the instance's UIDs are made of.
        patient: number of the made-up patient.
        number: instance number.
        settings: of the image.
    """
    data = new_dataset(CR_IMAGE, "CR", words=words, patient=patient, series="PA", number=number)
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.SeriesNumber = 1
    data.BodyPartExamined = "CHEST"
    data.ViewPosition = "PA"
    data.PatientOrientation = ["L", "F"]
    data.KVP = "110"
    data.DistanceSourceToDetector = "1800"
    data.ImagerPixelSpacing = [f"{10 * settings.field.pixel_cm:.3f}"] * 2
    _add_collimator(data, settings)
    _add_pixels(data, picture, settings)
    return data


def _add_collimator(data: Dataset, settings: Settings) -> None:
    """Its edges (PS3.3 C.8.7.3): the first and the last row and column that it leaves; they count from 1."""
    top, bottom, left, right = settings.edges
    if settings.seen.all():
        return
    data.CollimatorShape = "RECTANGULAR"
    data.CollimatorUpperHorizontalEdge, data.CollimatorLowerHorizontalEdge = str(top + 1), str(bottom)
    data.CollimatorLeftVerticalEdge, data.CollimatorRightVerticalEdge = str(left + 1), str(right)


def _add_pixels(data: Dataset, picture: Array, settings: Settings) -> None:
    center, width = settings.window
    white = 2**_BITS - 1
    stored = center - 0.5 + (picture - 0.5) * (width - 1)  # the window of PS3.3 C.11.2.1.2 turned around
    if settings.inverted:
        stored, center = white - stored, white - center + 1  # the mirror of the window
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME1" if settings.inverted else "MONOCHROME2"
    data.Rows, data.Columns = picture.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, _BITS, _BITS - 1, 0
    data.WindowCenter, data.WindowWidth = f"{center:.0f}", f"{width:.0f}"
    data.PixelData = np.round(np.clip(stored, 0, white)).astype("<u2").tobytes()
    data["PixelData"].VR = "OW"
