# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.transforms.load import LoadClinicalImaged
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import make_dataset, read, save

RNG = np.random.default_rng(0)
SHAPE = (40, 56)
PICTURE = RNG.integers(1, 255, SHAPE, dtype=np.uint8)  # neither black nor white: only a mask makes 0
UNMASKED = ClinicalImageReader(channels=None, masks=False)


def rectangle(left: int, right: int, top: int, bottom: int, name: str = "Shutter") -> dict[str, Any]:
    return {
        f"{name}Shape": "RECTANGULAR",
        f"{name}LeftVerticalEdge": left,
        f"{name}RightVerticalEdge": right,
        f"{name}UpperHorizontalEdge": top,
        f"{name}LowerHorizontalEdge": bottom,
    }


def circle(row: int, column: int, radius: int, name: str = "Shutter") -> dict[str, Any]:
    return {
        f"{name}Shape": "CIRCULAR",
        f"CenterOfCircular{name}": [row, column],
        f"RadiusOfCircular{name}": radius,
    }


def polygon(*vertices: int, name: str = "Shutter") -> dict[str, Any]:
    return {f"{name}Shape": "POLYGONAL", f"VerticesOfThePolygonal{name}": list(vertices)}


def overlay(bits: np.ndarray, origin: tuple[int, int] = (1, 1)) -> Any:
    dataset = make_dataset(PICTURE, ShutterShape="BITMAP", ShutterOverlayGroup=0x6002)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    for number, vr, value in (
        (0x0010, "US", bits.shape[0]),
        (0x0011, "US", bits.shape[1]),
        (0x0040, "CS", "G"),
        (0x0050, "SS", list(origin)),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", packed + bytes(len(packed) % 2)),
    ):
        dataset.add_new((0x6002, number), vr, value)
    return dataset


# --- padding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_after_inversion(tmp_path: Path, photometric: str):
    stored = PICTURE.copy()
    stored[:5] = 255
    path = save(tmp_path / "a.dcm", make_dataset(stored, photometric, PixelPaddingValue=255))
    shown = 1 - stored / 255 if photometric == "MONOCHROME1" else stored / 255
    image, meta = read(path)
    np.testing.assert_allclose(image[0], np.where(stored == 255, 0, shown), atol=1e-6)
    assert meta["masked"] == pytest.approx(5 / 40)
    np.testing.assert_allclose(read(path, UNMASKED)[0][0], shown, atol=1e-6)
    assert read(path, UNMASKED)[1]["masked"] == 0


@pytest.mark.parametrize(("value", "limit"), [(10, 40), (40, 10)])
def test_padding_range(tmp_path: Path, value: int, limit: int):
    image, _ = read(
        save(tmp_path / "a.dcm", make_dataset(PICTURE, PixelPaddingValue=value, PixelPaddingRangeLimit=limit))
    )
    padded = (PICTURE >= 10) & (PICTURE <= 40)
    np.testing.assert_allclose(image[0], np.where(padded, 0, PICTURE / 255), atol=1e-6)


def test_padding_of_a_signed_image_stored_without_sign(tmp_path: Path):
    stored = PICTURE.astype(np.int16)
    stored[:5], stored[5:8] = -2000, -1998
    dataset = make_dataset(stored)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    dataset.add_new("PixelPaddingRangeLimit", "US", 65536 - 1999)
    path = tmp_path / "a.dcm"
    image, meta = read(save(path, dataset))
    assert meta["masked"] == pytest.approx(5 / 40) and (image[0, :5] == 0).all() and image[0, 5:].min() > 0


def test_padding_is_found_before_the_rescale(tmp_path: Path):
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 100, "WindowWidth": 400}
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, PixelPaddingValue=77, **rescale))
    image, _ = read(path)
    assert ((image[0] == 0) == (PICTURE == 77)).all()


def test_padding_does_not_touch_colors(tmp_path: Path):
    color = RNG.integers(1, 255, (*SHAPE, 3), dtype=np.uint8)
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(color, "RGB", PixelPaddingValue=int(color[0, 0, 0]))))
    np.testing.assert_allclose(image, color.transpose(2, 0, 1) / 255, atol=1e-6)
    assert meta["masked"] == 0


# --- shutter and collimator ------------------------------------------------------------------------------------------


def by_hand(elements: dict[str, Any], name: str) -> np.ndarray:
    """Whether each pixel is left, one after the other, with rows and columns from 1 as in the standard."""
    found = np.zeros(SHAPE, bool)
    for row in range(1, 41):
        for column in range(1, 57):
            if elements[f"{name}Shape"] == "RECTANGULAR":
                across = elements[f"{name}LeftVerticalEdge"] <= column <= elements[f"{name}RightVerticalEdge"]
                down = elements[f"{name}UpperHorizontalEdge"] <= row <= elements[f"{name}LowerHorizontalEdge"]
                found[row - 1, column - 1] = across and down
            else:
                y, x = elements[f"CenterOfCircular{name}"]
                found[row - 1, column - 1] = (row - y) ** 2 + (column - x) ** 2 <= elements[
                    f"RadiusOfCircular{name}"
                ] ** 2
    return found


@pytest.mark.parametrize("name", ["Shutter", "Collimator"])
@pytest.mark.parametrize("make", [rectangle, circle])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "RGB"])
def test_shapes_by_hand(tmp_path: Path, name: str, make: Any, photometric: str):
    elements = rectangle(6, 50, 3, 31, name) if make is rectangle else circle(20, 30, 15, name)
    stored = PICTURE if photometric != "RGB" else np.dstack([PICTURE, PICTURE, PICTURE])
    path = save(tmp_path / "a.dcm", make_dataset(stored, photometric, **elements))
    image, meta = read(path)
    left = by_hand(elements, name)
    assert ((image > 0) == left).all() and meta["warnings"] == []
    assert meta["masked"] == pytest.approx(1 - left.mean())
    whole, meta = read(path, UNMASKED)
    assert (whole > 0).all() and meta["masked"] == 0
    np.testing.assert_array_equal(image[:, left], whole[:, left])


@pytest.mark.parametrize("name", ["Shutter", "Collimator"])
def test_polygon(tmp_path: Path, name: str):
    # a right triangle with the legs along row 1 and column 1: 40 pixels each
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **polygon(1, 1, 40, 1, 1, 40, name=name))))
    rows, columns = np.indices(SHAPE)
    inner, outer = rows + columns < 39, rows + columns <= 39
    assert (image[0, inner] > 0).all() and (image[0, ~outer] == 0).all()
    assert meta["warnings"] == [] and meta["masked"] == pytest.approx(1 - 800 / image.size, abs=0.02)


def test_bitmap(tmp_path: Path):
    bits = RNG.integers(0, 2, SHAPE, dtype=np.uint8)
    image, meta = read(save(tmp_path / "a.dcm", overlay(bits)))
    assert ((image[0] == 0) == (bits == 1)).all() and meta["warnings"] == []


def test_several_shapes_leave_what_all_leave(tmp_path: Path):
    elements = {**rectangle(6, 50, 3, 31), **circle(20, 30, 15), "ShutterShape": ["RECTANGULAR", "CIRCULAR"]}
    elements |= rectangle(1, 35, 1, 40, "Collimator")
    image, _ = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    expected = by_hand({**elements, "ShutterShape": "RECTANGULAR"}, "Shutter")
    expected &= by_hand({**elements, "ShutterShape": "CIRCULAR"}, "Shutter") & by_hand(elements, "Collimator")
    assert ((image[0] > 0) == expected).all()


@pytest.mark.parametrize(
    "elements",
    [
        rectangle(0, 57, 0, 41),  # an edge may lie just outside
        rectangle(1, 56, 1, 40),
        circle(20, 28, 40),  # loses its rim to the border
    ],
)
def test_shapes_around_the_image_hide_nothing_but_what_they_should(tmp_path: Path, elements: dict[str, Any]):
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    assert meta["warnings"] == [] or elements["ShutterShape"] == "CIRCULAR"
    assert (image > 0).all() and meta["masked"] == 0


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (rectangle(6, 100, 3, 31), "cropped or rescaled"),
        (rectangle(-5, 50, 3, 31), "cropped or rescaled"),
        (rectangle(50, 6, 3, 31), "wrong order"),
        (rectangle(6, 10, 3, 10), "less than 5%"),
        ({"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 5}, "(0018,1604) Shutter Right Vertical Edge"),
        (circle(40, 56, 30), "cropped or rescaled"),  # of an image of twice the size
        (circle(80, 28, 30), "cropped or rescaled"),
        (circle(20, 28, -3), "radius"),
        (polygon(1, 1, 10, 10), "three vertices"),
        (polygon(1, 1, 90, 1, 1, 40), "cropped or rescaled"),
        (polygon(1, 1, 40, 40, 20, 20), "less than 5%"),
        ({"ShutterShape": "STAR"}, "unknown"),
        ({"ShutterShape": "BITMAP"}, "overlay"),
        ({"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6000}, "overlay"),
        ({"CollimatorShape": "BITMAP"}, "unknown"),
    ],
)
def test_shapes_that_do_not_fit_are_said_and_not_used(tmp_path: Path, elements: dict[str, Any], words: str):
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    assert (image > 0).all() and meta["masked"] == 0
    assert len(meta["warnings"]) == 1 and words in meta["warnings"][0] and "Shape" in meta["warnings"][0]


@pytest.mark.parametrize("dataset", [overlay(np.ones((20, 20), np.uint8)), overlay(np.ones(SHAPE, np.uint8), (3, 3))])
def test_overlay_of_another_size(tmp_path: Path, dataset: Any):
    _, meta = read(save(tmp_path / "a.dcm", dataset))
    assert "another size" in meta["warnings"][0]


def test_shapes_that_leave_nothing_together(tmp_path: Path):
    elements = rectangle(1, 20, 1, 40) | rectangle(30, 56, 1, 40, "Collimator")
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    assert "(0018,1700) Collimator Shape leaves less" in meta["warnings"][0]
    assert (image[0, :, :20] > 0).all() and (image[0, :, 20:] == 0).all()


# --- the switch ------------------------------------------------------------------------------------------------------


def test_switch_of_the_transforms(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, **rectangle(6, 50, 3, 31)))
    assert (LoadClinicalImaged()({"image": path})["image"] == 0).any()
    assert (LoadClinicalImaged(masks=False)({"image": path})["image"] > 0).all()
    for masks in (True, False):
        preprocessing = Preprocessing(32, masks=masks)
        assert preprocessing.spec["masks"] is masks and preprocessing.spec["for_processing"] is False
        assert bool((Preprocessing(**preprocessing.spec)({"image": path})["image"] == 0).any()) is masks
