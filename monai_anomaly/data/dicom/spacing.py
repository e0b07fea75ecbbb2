# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Millimeters per pixel, and what they were measured on: DICOM PS3.3 10.7.

A projection has no one size: the same pixel is larger at the detector than in the patient. The origin says which one it
is, and a value that cannot be one counts as absent.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.elements import element, positive, word

__all__ = ["find_spacing"]

Spacing = tuple[float, float]
CALIBRATED = {"GEOMETRY": "pixel_spacing_geometry", "FIDUCIAL": "pixel_spacing_fiducial"}


def find_spacing(dataset: Dataset) -> tuple[Spacing | None, str, list[str]]:
    """Return ``(row, column)`` mm per pixel or None, its origin (empty without one) and warnings.

    Origins, in order of preference: ``pixel_spacing_geometry`` and ``pixel_spacing_fiducial`` (calibrated in the
    patient), ``pixel_spacing``, ``imager_pixel_spacing_magnified`` (at the detector, divided by the estimated
    magnification), ``imager_pixel_spacing`` (at the detector), ``nominal_scanned_pixel_spacing`` (on the film).

    Args:
        dataset: the header, or what holds for one frame.
    """
    pixel, imager = (_pair(dataset, keyword) for keyword in ("PixelSpacing", "ImagerPixelSpacing"))
    calibration = word(dataset, "PixelSpacingCalibrationType")
    if pixel and (calibration in CALIBRATED or pixel != imager):
        return pixel, CALIBRATED.get(calibration, "pixel_spacing"), []
    if imager:  # equal values and no calibration: at the detector, too
        return _magnify(dataset, imager)
    film = _pair(dataset, "NominalScannedPixelSpacing")
    return film, "nominal_scanned_pixel_spacing" if film else "", []


def _magnify(dataset: Dataset, imager: Spacing) -> tuple[Spacing, str, list[str]]:
    """Turn the detector's pixels into the patient's, where the magnification is known."""
    keyword = "EstimatedRadiographicMagnificationFactor"
    factor = positive(dataset, keyword, 1)
    if factor and factor[0] >= 1:
        return (imager[0] / factor[0], imager[1] / factor[0]), "imager_pixel_spacing_magnified", []
    notes = [f"{element(keyword)} is no factor of at least 1; the spacing is that at the detector"]
    return imager, "imager_pixel_spacing", notes if dataset.get(keyword) not in (None, "") else []


def _pair(dataset: Dataset, keyword: str) -> Spacing | None:
    values = positive(dataset, keyword, 2)
    return (values[0], values[1]) if values else None
