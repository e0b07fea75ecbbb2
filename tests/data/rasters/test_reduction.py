# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Large JPEG files that are decoded with fewer pixels than they have."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.jpeg_check import check_jpeg, decode_checked
from monai_anomaly.data.picture_facts import PICTURE_FACTS
from monai_anomaly.data.rasters.reduction import FACTORS, reduction
from monai_anomaly.transforms.preprocessing import MARGIN, Preprocessing
from tests.data.test_jpeg_check import DAMAGED, WHOLE
from tests.helpers.pictures import encode, make_gray

SIZE = 32
ROWS, COLUMNS = 400, 640
ORIENTATION = 274


def make_photo(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """Return waves under a ramp of each color, which no turn leaves as they are."""
    gray = make_gray(rows, columns) / 255
    down, right = np.linspace(0, 1, rows)[:, None], np.linspace(0, 1, columns)
    colors = (0.6 * gray + 0.4 * down, 0.5 * gray + 0.3 * right, 0.7 * gray + 0.1)
    return (np.stack(colors, -1) * 255).clip(0, 255).astype(np.uint8)


PHOTO = make_photo()


def write(path: Path, code: bytes) -> dict[str, str]:
    path.write_bytes(code)
    return {"image": str(path)}


def both(item: dict[str, str], channels: int = 3, **more: object) -> list[dict]:
    """Return what both versions make of a file."""
    return [Preprocessing(SIZE, channels, version=version, **more)(item) for version in (1, 2)]


@pytest.mark.parametrize("side", [*range(1, 40), 255, 256, 257, 999, 3000, 4499])
@pytest.mark.parametrize("enough", [1, 3, 64, 300])
def test_a_factor_leaves_what_is_enough_and_moves_nothing_by_a_quarter(side: int, enough: int):
    factor = reduction((side, 8 * 5000), enough)
    assert factor == reduction((8 * 5000, side), enough)
    if factor > 1:
        assert side // factor >= enough
        assert (-(-side // factor) * factor / side - 1) * enough <= 0.25
    for larger in [value for value in FACTORS if value > factor]:
        assert side // larger < enough or (-(-side // larger) * larger / side - 1) * enough > 0.25


def test_without_a_size_nothing_is_reduced():
    assert reduction((9000, 9000), None) == 1


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", WHOLE)
def test_the_smaller_picture_is_pillow_s(name: str, factor: int):
    code = WHOLE[name]
    notes, pixels = decode_checked(code, factor)
    assert notes == check_jpeg(code)
    with Image.open(io.BytesIO(code)) as image:
        if image.mode == "CMYK":
            assert pixels is None
            return
        image.draft(image.mode, [max(1, side // factor) for side in image.size])
        expected = np.asarray(image).reshape(image.height, image.width, -1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_seen_on_the_way(name: str):
    with pytest.raises(ImageReadError) as whole:
        check_jpeg(DAMAGED[name])
    with pytest.raises(ImageReadError) as reduced:
        decode_checked(DAMAGED[name], 8)
    assert reduced.value.args == whole.value.args


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2, "quality": 60}])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("colored", [True, False])
def test_a_network_sees_the_same_within_a_gray_level(tmp_path: Path, options: dict, channels: int, colored: bool):
    item = write(tmp_path / "a.jpg", encode(PHOTO if colored else PHOTO[..., 0], "JPEG", **options))
    whole, reduced = both(item, channels)
    difference = (whole["image"] - reduced["image"]) * 255
    assert 0 < difference.abs().max() < 2.5
    assert difference.square().mean().sqrt() < 0.5 and abs(difference.mean()) < 0.15
    read = ClinicalImageReader(channels).read(item["image"], enough=MARGIN * SIZE)
    assert read.values.shape[1:] == (ROWS // 4, COLUMNS // 4) and read.shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_lies_as_its_whole_picture_and_all_that_is_said_of_it_is_of_that(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    item = write(tmp_path / "a.jpg", encode(PHOTO, "JPEG", exif=exif))
    mask = np.zeros((ROWS, COLUMNS) if orientation < 5 else (COLUMNS, ROWS), np.uint8)
    mask[: len(mask) // 2, :100] = 255
    mask_file = write(tmp_path / "m.png", encode(mask, "PNG"))["image"]
    whole, reduced = both({**item, "mask": mask_file}, meta_key="meta")
    assert (whole["image"] - reduced["image"]).abs().max() < 2.5 / 255
    assert torch.equal(whole["mask"], reduced["mask"])
    assert {**whole["meta"], **PICTURE_FACTS} == {**reduced["meta"], **PICTURE_FACTS}
    for key in ("source_shape", "box", "rows", "columns", "frame", "file_format", "photometric", "warnings"):
        assert whole[key] == reduced[key], key
    assert reduced["source_shape"] == mask.shape
    assert reduced["colored"] == pytest.approx(whole["colored"], abs=0.05)
    assert reduced["gray_mean"] == pytest.approx(whole["gray_mean"], abs=0.002)


@pytest.mark.parametrize(("rows", "columns"), [(401, 643), (3001, 400), (399, 5003)])
def test_sides_that_no_factor_divides(tmp_path: Path, rows: int, columns: int):
    item = write(tmp_path / "a.jpg", encode(make_photo(rows, columns), "JPEG"))
    whole, reduced = both(item)
    assert (whole["image"] - reduced["image"]).abs().max() < 5 / 255
    assert reduced["source_shape"] == (rows, columns)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (224, 224), (191, 4000)])
def test_small_and_narrow_pictures_are_read_whole(tmp_path: Path, shape: tuple[int, int]):
    item = write(tmp_path / "a.jpg", encode(make_gray(*shape), "JPEG"))
    settings = {"min_size": 1, "channels": 1, "image_size": 64}
    whole, reduced = (Preprocessing(**settings, version=version)(item) for version in (1, 2))
    assert torch.equal(whole["image"], reduced["image"])


@pytest.mark.parametrize("mode", ["CMYK", "PNG", "BMP", "TIFF"])
def test_other_formats_and_colors_are_read_whole(tmp_path: Path, mode: str):
    picture = Image.fromarray(PHOTO)
    code = encode(picture.convert("CMYK"), "JPEG") if mode == "CMYK" else encode(picture, mode)
    whole, reduced = both(write(tmp_path / "a", code))
    assert torch.equal(whole["image"], reduced["image"])


def test_a_picture_that_only_looks_flat_when_it_is_small_is_not_flat(tmp_path: Path):
    stripes = np.tile(np.array([100, 156], np.uint8), (400, 200))
    item = write(tmp_path / "a.jpg", encode(stripes, "JPEG", quality=100))
    assert decode_checked(Path(item["image"]).read_bytes(), 4)[1].std() == 0
    whole, reduced = both(item, 1)
    assert reduced["warnings"] == whole["warnings"] == "" and torch.equal(whole["image"], reduced["image"])
    item = write(tmp_path / "b.jpg", encode(np.full((400, 400), 90, np.uint8), "JPEG"))
    assert [version["warnings"] for version in both(item, 1)] == ["every pixel has the same value"] * 2


def test_too_small_is_said_of_the_whole_picture(tmp_path: Path):
    item = write(tmp_path / "a.jpg", encode(PHOTO, "JPEG"))
    assert Preprocessing(SIZE, version=2, min_size=ROWS)(item)["rows"] == ROWS
    with pytest.raises(ImageReadError, match="400 x 640"):
        Preprocessing(SIZE, version=2, min_size=ROWS + 1)(item)


def test_a_cut_file_is_refused_as_before(tmp_path: Path):
    code = encode(PHOTO, "JPEG")
    for damaged in (code[: len(code) // 2], code[: len(code) // 2] + bytes(len(code) // 2)):
        item = write(tmp_path / "a.jpg", damaged)
        for version in (1, 2):
            with pytest.raises(ImageReadError) as caught:
                Preprocessing(SIZE, version=version)(item)
            assert caught.value.code in ("truncated", "decode_failed")


def test_who_asks_again_gets_every_pixel(tmp_path: Path):
    item = write(tmp_path / "a.jpg", encode(PHOTO, "JPEG"))
    preprocessing = Preprocessing(SIZE, 3, version=2)
    preprocessing.reader.keep_pictures(2**24)
    preprocessing(item)
    again = preprocessing.reader.read_again(item["image"])
    np.testing.assert_array_equal(again.values, ClinicalImageReader(3).read(item["image"]).values)
    assert again.reduced_from is None


def test_a_process_with_limits_gives_the_same(tmp_path: Path):
    item = write(tmp_path / "a.jpg", encode(PHOTO, "JPEG"))
    here, there = (ClinicalImageReader(3, decode_limit=limit).read(item["image"], enough=96) for limit in (None, 10))
    np.testing.assert_array_equal(here.values, there.values)
    assert replace(here, values=None) == replace(there, values=None) and there.reduced_from == (ROWS, COLUMNS)


def test_a_checkpoint_without_a_version_reads_as_before(tmp_path: Path):
    item = write(tmp_path / "a.jpg", encode(PHOTO, "JPEG"))
    spec = {"image_size": SIZE, "channels": 3}
    whole, _ = both(item)
    assert torch.equal(Preprocessing(**spec)(item)["image"], whole["image"])
    assert Preprocessing(**spec).spec["version"] == 1
    again = Preprocessing(**Preprocessing(**spec, version=2).spec)
    assert again.spec["version"] == 2 and not torch.equal(again(item)["image"], whole["image"])
    with pytest.raises(ValueError, match="version must be one of 1, 2, got 3"):
        Preprocessing(**spec, version=3)
