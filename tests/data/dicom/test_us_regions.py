# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import examples

from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import make_dataset, make_region, read, save

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)


def test_trusted_region_is_cropped(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((10, 5, 49, 34))]))
    image, meta = read(path)
    np.testing.assert_array_equal(image[0], PICTURE[5:35, 10:50].astype(np.float32) / 255)
    assert (meta["region"], meta["box"], meta["shape"]) == ("trusted", [10, 5, 50, 35], [40, 56])
    assert meta["spacing"] == pytest.approx([0.2, 0.2]) and meta["spacing_origin"] == "us_region"
    whole, _ = read(path, ClinicalImageReader(crop_region=False))
    assert whole.shape == (1, 40, 56)


@pytest.mark.parametrize(
    ("boxes", "state", "box"),
    [
        ([(0, 0, 56, 40)], "trusted", [0, 0, 56, 40]),  # exclusive maximum, as some vendors write it
        ([(0, 0, 57, 39)], "untrusted", [0, 0, 56, 40]),
        ([(20, 30, 10, 35)], "untrusted", [0, 0, 56, 40]),
        ([(3, 3, 5, 5)], "untrusted", [0, 0, 56, 40]),  # too small to be the picture
        ([(0, 0, 27, 39), (26, 0, 55, 39)], "trusted", [26, 0, 56, 40]),  # dual view: the larger
        ([(0, 0, 27, 39), (0, 50, 55, 90)], "untrusted", [0, 0, 56, 40]),  # one outside: none is trusted
    ],
)
def test_region_boxes(tmp_path: Path, boxes, state, box):
    regions = [make_region(b) for b in boxes]
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=regions)))
    assert (meta["region"], meta["box"]) == (state, box)
    assert bool(meta["warnings"]) == (state == "untrusted" or len(boxes) > 1)


@pytest.mark.parametrize("item", [make_region((0, 0, 55, 39), kind=3), make_region((0, 0, 55, 39), delta=0.0)])
def test_waveform_and_zero_delta_are_not_trusted(tmp_path: Path, item):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[item])))
    assert meta["region"] == "untrusted" and meta["spacing"] == []


@pytest.mark.parametrize("name", ["palette_color", "ybr_color"])
def test_real_files_with_regions_outside_the_image(name):
    image, meta = read(examples.get_path(name))
    assert meta["region"] == "untrusted" and "cropped or rescaled" in meta["warnings"][0]
    assert list(image.shape[1:]) == meta["shape"]
