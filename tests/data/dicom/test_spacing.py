# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import make_dataset, make_region, read, save

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
FACTOR = "EstimatedRadiographicMagnificationFactor"


@pytest.mark.parametrize(
    ("elements", "spacing", "origin"),
    [
        ({}, [], ""),
        ({"PixelSpacing": [0.2, 0.3]}, [0.2, 0.3], "pixel_spacing"),
        ({"PixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "GEOMETRY"}, [0.2, 0.3], "pixel_spacing_geometry"),
        ({"PixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "FIDUCIAL"}, [0.2, 0.3], "pixel_spacing_fiducial"),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, [0.2, 0.3], "imager_pixel_spacing"),
        ({"ImagerPixelSpacing": [0.2, 0.3], FACTOR: 1.25}, [0.16, 0.24], "imager_pixel_spacing_magnified"),
        ({"ImagerPixelSpacing": [0.2, 0.3], "PixelSpacing": [0.1, 0.1]}, [0.1, 0.1], "pixel_spacing"),
        ({"ImagerPixelSpacing": [0.2, 0.3], "PixelSpacing": [0.2, 0.3]}, [0.2, 0.3], "imager_pixel_spacing"),
        ({"ImagerPixelSpacing": [0.2, 0.3], "PixelSpacing": [0, 0]}, [0.2, 0.3], "imager_pixel_spacing"),
        ({"PixelSpacing": [0, 0]}, [], ""),
        ({"PixelSpacing": [-0.1, 0.1]}, [], ""),
        ({"PixelSpacing": [0.2]}, [], ""),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, [0.1, 0.1], "nominal_scanned_pixel_spacing"),
    ],
)
def test_origins(tmp_path: Path, elements: dict[str, Any], spacing: list[float], origin: str):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, Modality="DX", **elements)))
    assert meta["spacing"] == pytest.approx(spacing) and meta["spacing_origin"] == origin and meta["warnings"] == []


@pytest.mark.parametrize("factor", [0.5, 0, -2])
def test_senseless_magnification_is_said(tmp_path: Path, factor: float):
    elements = {"ImagerPixelSpacing": [0.2, 0.2], FACTOR: factor}
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    assert meta["spacing"] == [0.2, 0.2] and meta["spacing_origin"] == "imager_pixel_spacing"
    assert "(0018,1114)" in meta["warnings"][0]


def test_non_finite_film_spacing_is_absent(tmp_path: Path):
    path = tmp_path / "a.dcm"
    save(path, make_dataset(PICTURE, NominalScannedPixelSpacing=[7.25, 7.25]))
    path.write_bytes(path.read_bytes().replace(b"7.25", b"nan "))
    assert read(path)[1]["spacing"] == []


def test_ultrasound_without_region(tmp_path: Path):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, PixelSpacing=[0.1, 0.1])))
    assert meta["modality"] == "US" and meta["spacing"] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("box", "spacing", "origin"),
    [((10, 5, 49, 34), [0.2, 0.2], "us_region"), ((10, 5, 99, 34), [], "")],  # the second was rescaled
)
def test_region_decides(tmp_path: Path, box: tuple[int, int, int, int], spacing: list[float], origin: str):
    elements = {"PixelSpacing": [0.1, 0.1], "SequenceOfUltrasoundRegions": [make_region(box)]}
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements))
    for crop in (True, False):  # a crop does not change it
        _, meta = read(path, ClinicalImageReader(crop_region=crop))
        assert meta["spacing"] == pytest.approx(spacing) and meta["spacing_origin"] == origin
