# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A generated picture as a DICOM dermoscopic photograph."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DermoscopicPhotographyImageStorage

from monai_anomaly.phantom.dicom import new_dataset
from monai_anomaly.phantom.skin.anatomy import Array
from monai_anomaly.phantom.skin.camera import Settings

__all__ = ["make_dataset"]


def make_dataset(picture: Array, *, words: tuple[str, ...], patient: str, number: int, settings: Settings) -> Dataset:
    """Return a DICOM data set of a generated dermoscopic photograph.

    Args:
        picture: (3, rows, columns), RGB; 0 is black and 1 is white.
        words: what the instance's UIDs are made of.
        patient: number of the made-up patient.
        number: instance number.
        settings: of the image.
    """
    data = new_dataset(
        DermoscopicPhotographyImageStorage, "DMS", words=words, patient=patient, series="DMS", number=number
    )
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.SeriesNumber = 1
    data.ManufacturerModelName = "generated dermatoscope"
    data.DeviceSerialNumber = "0"
    data.SoftwareVersions = words[0]
    data.BodyPartExamined = "SKIN"
    data.PatientOrientation = ""
    data.AcquisitionContextSequence = []
    _add_region(data)
    _add_dermatoscope(data, settings)
    data.PixelSpacing = [f"{settings.pixel_mm:.4f}"] * 2
    data.PixelSpacingCalibrationType = "GEOMETRY"
    data.PixelSpacingCalibrationDescription = "The lens is at a fixed distance"
    _add_pixels(data, picture)
    return data


def _add_region(data: Dataset) -> None:
    """PS3.16 context 4."""
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "39937001", "SCT", "Skin"
    data.AnatomicRegionSequence = [region]


def _add_dermatoscope(data: Dataset, settings: Settings) -> None:
    """Add the Dermoscopic Image module, PS3.3 C.8.12.13."""
    data.RecognizableVisualFeatures = "NO"
    data.LightSourcePolarization = "POLARIZED" if settings.polarized else "NON_POLARIZED"
    data.EmitterColorTemperature = None
    data.ContactMethod = "CONTACT"
    data.ImmersionMedia = "ULTRASOUND_GEL"
    data.OpticalMagnificationFactor = None


def _add_pixels(data: Dataset, picture: Array) -> None:
    data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    data.PhotometricInterpretation = "RGB"
    data.Rows, data.Columns = picture.shape[1:]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8).transpose(1, 2, 0).tobytes()
    data["PixelData"].VR = "OB"
