# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Many images on one page, as a bundle is given them: the check by eye that no table replaces.

A page travels further than the archive it was made from, so nothing on it names a file or a patient, apart from what
is burned into the pixels themselves: a running number stands for the file.
"""

from __future__ import annotations

import math
from functools import lru_cache
from os import PathLike

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["ContactSheet"]

TILE = 208
"""Width and height of a picture's field, pixels."""
GAP, MARGIN, TITLE = 14, 28, 64
LINE = 18
CAPTION = 3 * LINE + 10
MOST_COLUMNS = 10
BACKGROUND, FIELD, REFUSED_FIELD = (24, 26, 30), (12, 13, 15), (44, 24, 26)
BRIGHT, PLAIN, DIM, WARNING = (238, 240, 243), (190, 195, 202), (128, 134, 143), (235, 140, 120)


class ContactSheet:
    """Paints tiles one by one; holds the page and no image, so that its memory does not grow with the images' sizes.

    Args:
        tiles: how many tiles the page will have at most, at least 1; 1,000 make 150 MB.

    Raises:
        ValueError: for no tiles.
    """

    def __init__(self, tiles: int) -> None:
        if tiles < 1:
            raise ValueError(f"tiles must be at least 1, got {tiles}.")
        self.tiles = tiles
        self.painted = 0
        self._columns = min(MOST_COLUMNS, math.ceil(math.sqrt(1.6 * tiles)))
        self._page = Image.new("RGB", self._size(tiles), BACKGROUND)
        self._draw = ImageDraw.Draw(self._page)

    def add(self, number: int, image: npt.NDArray[np.float32] | None, facts: list[str], warning: str = "") -> None:
        """Paint the next tile.

        Args:
            number: what stands for the file.
            image: ``(1, H, W)`` or ``(3, H, W)``, black at 0 and white at 1 for all; None where there is none.
            facts: up to three short lines; the first stands beside the number.
            warning: what is wrong: the caption's third line or, without an image, in the middle of the tile.

        Raises:
            ValueError: when the page is full.
        """
        if self.painted == self.tiles:
            raise ValueError(f"the page has {self.tiles} tiles; make it with more.")
        x, y = self._corner(self.painted)
        self.painted += 1
        self._draw.rectangle((x, y, x + TILE - 1, y + TILE - 1), FIELD if image is not None else REFUSED_FIELD)
        if image is not None:
            picture = _fit(image)
            self._page.paste(picture, (x + (TILE - picture.width) // 2, y + (TILE - picture.height) // 2))
        else:
            text = warning.replace("_", "\n")
            middle = (x + TILE / 2, y + TILE / 2)
            self._draw.multiline_text(middle, text, WARNING, _font(17), anchor="mm", align="center", spacing=6)
        self._caption(x, y + TILE + 8, number, facts, warning if image is not None else "")

    def save(self, path: str | PathLike[str], title: str) -> None:
        """Write the page as a PNG without any text chunk; tiles that were not painted are left out.

        Args:
            path: the file to write; see :func:`~monai_anomaly.utils.atomic.atomic_path` for one that is whole or not
                there.
            title: the line above the tiles.

        Raises:
            OSError: when it cannot be written.
        """
        self._draw.text((MARGIN, MARGIN), title, BRIGHT, _font(20))
        width, height = self._size(max(self.painted, 1))
        width = max(width, MARGIN * 2 + math.ceil(_font(20).getlength(title)))
        self._page.crop((0, 0, min(width, self._page.width), height)).save(path, format="PNG", compress_level=6)

    def _caption(self, x: int, y: int, number: int, facts: list[str], warning: str) -> None:
        self._draw.text((x, y), str(number), BRIGHT, _font(15))
        indent = _font(15).getlength(f"{number}  ")
        for line, text in enumerate(facts):
            place = (x, y + line * LINE) if line else (x + indent, y)
            self._draw.text(place, text, DIM if line else PLAIN, _font(14))
        self._draw.text((x, y + 2 * LINE), warning, WARNING, _font(14))

    def _corner(self, index: int) -> tuple[int, int]:
        row, column = divmod(index, self._columns)
        return MARGIN + column * (TILE + GAP), MARGIN + TITLE - 24 + row * (TILE + CAPTION + GAP)

    def _size(self, tiles: int) -> tuple[int, int]:
        rows, columns = math.ceil(tiles / self._columns), min(tiles, self._columns)
        right, below = self._corner((rows - 1) * self._columns + columns - 1)
        return max(right + TILE + MARGIN, 640), below + TILE + CAPTION + MARGIN


def _fit(image: npt.NDArray[np.float32]) -> Image.Image:
    """Return the image at the largest size that fits a tile; a smaller one keeps its pixels as squares."""
    levels = np.clip(image * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))
    factor = TILE / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    if factor >= 1:
        return picture.resize(size, Image.Resampling.NEAREST)
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # a size always gives the scalable font
    return font
