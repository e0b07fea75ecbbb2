# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.apps.inspection.contact_sheet import (
    BACKGROUND,
    CAPTION,
    FIELD,
    GAP,
    MARGIN,
    REFUSED_FIELD,
    TILE,
    ContactSheet,
)

FIRST_ROW = MARGIN + 40


def paint(path, images, tiles=None, **options):
    sheet = ContactSheet(tiles or len(images))
    for number, image in enumerate(images, 1):
        sheet.add(number, image, ["US  RGB", "1 x 1"], **options)
    sheet.save(path, "a title")
    return np.asarray(Image.open(path).convert("RGB"))


def field(page, column, row=0):
    """The picture's field of a tile."""
    x, y = MARGIN + column * (TILE + GAP), FIRST_ROW + row * (TILE + CAPTION + GAP)
    return page[y : y + TILE, x : x + TILE]


def test_a_gray_and_a_color_image_keep_their_levels(tmp_path):
    gray = np.full((1, 8, 8), 0.2, np.float32)
    color = np.stack([np.full((8, 8), value, np.float32) for value in (1.0, 0.4, 0.0)])
    page = paint(tmp_path / "page.png", [gray, color])
    assert np.unique(field(page, 0).reshape(-1, 3), axis=0).tolist() == [[51, 51, 51]]
    assert np.unique(field(page, 1).reshape(-1, 3), axis=0).tolist() == [[255, 102, 0]]


def test_dark_images_stay_dark(tmp_path):
    """No stretching: a page shows which images are darker than the others."""
    image = np.linspace(0.0, 0.1, 64, dtype=np.float32).reshape(1, 8, 8)
    assert field(paint(tmp_path / "page.png", [image]), 0).max() == 26


def test_rows_and_columns_are_where_a_viewer_has_them(tmp_path):
    image = np.zeros((1, 2, 2), np.float32)
    image[0, 0, 1] = 1.0
    shown = field(paint(tmp_path / "page.png", [image]), 0)[..., 0]
    half = TILE // 2
    assert np.array_equal(shown, np.kron([[0, 255], [0, 0]], np.ones((half, half))))


@pytest.mark.parametrize(("rows", "columns"), [(100, 400), (400, 100), (3, 12), (1, 5000), (5000, 1)])
def test_aspect_is_kept_and_the_rest_is_background(tmp_path, rows, columns):
    shown = field(paint(tmp_path / "page.png", [np.ones((1, rows, columns), np.float32)]), 0)
    white = (shown == 255).all(axis=2)
    size = white.any(axis=1).sum(), white.any(axis=0).sum()
    longer = max(rows, columns)
    assert size == (max(1, round(TILE * rows / longer)), max(1, round(TILE * columns / longer)))
    assert white.sum() == size[0] * size[1]
    assert (shown[~white] == FIELD).all()


def test_a_large_image_is_averaged_and_not_sampled(tmp_path):
    image = np.indices((1040, 1040)).sum(axis=0)[None] % 2
    shown = field(paint(tmp_path / "page.png", [image.astype(np.float32)]), 0)
    assert abs(shown.astype(float) - 127.5).max() < 3


def test_an_image_that_was_refused_has_its_code_on_another_field(tmp_path):
    page = paint(tmp_path / "page.png", [None], warning="unsupported_transfer_syntax")
    shown = field(page, 0)
    assert tuple(shown[0, 0]) == REFUSED_FIELD
    assert (shown != REFUSED_FIELD).any(axis=2).sum() > 500  # letters
    assert (shown[:, :4] == REFUSED_FIELD).all() and (shown[:, -4:] == REFUSED_FIELD).all()  # that fit


def test_captions_differ_with_what_they_say(tmp_path):
    images = [np.zeros((1, 4, 4), np.float32)] * 2
    pages = [paint(tmp_path / f"{n}.png", images, warning=text) for n, text in enumerate(["", "region untrusted"])]
    first, second = (slice(MARGIN + n * (TILE + GAP), MARGIN + n * (TILE + GAP) + TILE) for n in (0, 1))
    plain, warned = (page[FIRST_ROW + TILE : FIRST_ROW + TILE + CAPTION] for page in pages)
    assert (plain != BACKGROUND).any()
    assert (plain != warned).any()
    assert (plain[:, first] != plain[:, second]).any()  # the running number


@pytest.mark.parametrize(("tiles", "columns", "rows"), [(1, 1, 1), (8, 4, 2), (40, 8, 5), (63, 10, 7), (200, 10, 20)])
def test_the_page_is_as_large_as_its_tiles(tmp_path, tiles, columns, rows):
    page = paint(tmp_path / "page.png", [np.ones((1, 1, 1), np.float32)] * tiles)
    width = max(640, 2 * MARGIN + columns * (TILE + GAP) - GAP)
    assert page.shape[:2] == (FIRST_ROW + rows * (TILE + CAPTION + GAP) - GAP + MARGIN, width)
    last = divmod(tiles - 1, columns)
    assert (field(page, last[1], last[0]) == 255).all()


def test_tiles_that_were_not_painted_are_left_out(tmp_path):
    image = np.ones((1, 1, 1), np.float32)
    short, full = (paint(tmp_path / "page.png", [image] * n, tiles=40) for n in (16, 40))
    assert short.shape[0] < full.shape[0]
    assert np.array_equal(field(short, 7, 1), field(full, 7, 1))
    assert paint(tmp_path / "page.png", [], tiles=40).shape[0] > 0


def test_a_page_refuses_more_tiles_than_it_has(tmp_path):
    sheet = ContactSheet(1)
    sheet.add(1, None, [], "x")
    with pytest.raises(ValueError, match="the page has 1 tiles"):
        sheet.add(2, None, [], "x")
    with pytest.raises(ValueError, match="at least 1"):
        ContactSheet(0)


def test_the_file_is_pixels_and_nothing_else(tmp_path):
    paint(tmp_path / "page.png", [np.ones((1, 1, 1), np.float32)])
    data, at, kinds = (tmp_path / "page.png").read_bytes(), 8, set()
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.add(kind)
        at += 12 + length
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}
