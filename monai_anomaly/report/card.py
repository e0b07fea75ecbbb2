# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""One image as ``templates/card.html.jinja`` shows it: pictures as data URIs, the map to lay over the image, a caption.

A page with cards includes ``card.css.jinja`` in its style and writes, inside one element of class ``cards``,
``controls(scale)`` once and ``card(each)`` for each.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from skimage.measure import find_contours

from monai_anomaly.report.gallery import Picture
from monai_anomaly.transforms.preprocessing import resize_image
from monai_anomaly.utils.heatmap import PALETTE, encode_heatmap, encode_image

__all__ = ["Card", "MapScale", "Outline", "make_card", "make_scale", "picture_aspect"]

LONGEST_SIDE = 256
"""Pixels of a picture's longer side on a page; larger ones are made smaller, so that a page stays within some MB."""


@dataclass(frozen=True)
class Outline:
    """The edge of a mask as an SVG path, in pixels of the image."""

    width: int
    height: int
    path: str


@dataclass(frozen=True)
class Card:
    """One image with its map.

    ``anchor`` is the ``id`` that a link of the page leads to. ``image``, ``reconstruction`` (empty where the method has
    none) and ``anomaly_map`` are data URIs. ``kind`` is ``"normal"``, ``"abnormal"`` or empty where nobody knows.
    ``aspect`` is width over height to show the pictures at. ``note`` is one more sentence for the caption, or empty.
    ``links`` are words to click on and relative paths. ``decision`` and ``p_value`` are those of
    :class:`monai_anomaly.report.gallery.Picture`.
    """

    anchor: str
    name: str
    kind: str
    score: float
    image: str
    outline: Outline | None
    reconstruction: str
    anomaly_map: str
    decision: str
    p_value: float | None
    aspect: float
    note: str = ""
    links: tuple[tuple[str, str], ...] = ()

    @property
    def n_pictures(self) -> int:
        """How many pictures are side by side."""
        return 3 if self.reconstruction else 2

    @property
    def is_right(self) -> bool | None:
        """Whether the decision is that of the label; None where there is no label."""
        return self.decision == {"normal": "normal", "abnormal": "anomalous"}[self.kind] if self.kind else None


@dataclass(frozen=True)
class MapScale:
    """Map values of the first and the last color, which all cards of a page share, and the colors as a data URI."""

    low: float
    high: float
    color_bar: str


def make_scale(map_range: tuple[float, float]) -> MapScale:
    """Return the scale of a page's cards.

    Args:
        map_range: map values of the first and the last color.
    """
    return MapScale(*map_range, _uri(encode_image(np.moveaxis(PALETTE[None] / np.float32(255), -1, 0))))


def picture_aspect(box: Sequence[int] | None) -> float | None:
    """Return the width over the height of what a network saw, before it was squashed.

    Args:
        box: ``(x0, y0, x1, y1)``, half open, in pixels of the source; None or an empty one is unknown.

    Returns:
        between 1/4 and 4, so that a strip has a card like others; None where it is unknown.

    >>> picture_aspect((10, 0, 310, 200))
    1.5
    """
    x0, y0, x1, y1 = (int(edge) for edge in box) if box is not None else (0, 0, 0, 0)
    return min(4.0, max(0.25, (x1 - x0) / (y1 - y0))) if x1 > x0 and y1 > y0 else None


def make_card(
    picture: Picture,
    map_range: tuple[float, float],
    anchor: str,
    *,
    note: str = "",
    links: tuple[tuple[str, str], ...] = (),
) -> Card:
    """Return the card of a picture.

    Args:
        picture: pixels and answer.
        map_range: map values of the first and the last color; values outside get these colors.
        anchor: an ``id`` that no other element of the page has, such as ``"image-7"``.
        note: one more sentence for the caption.
        links: words to click on, and paths relative to the page, made of letters, digits, ``/``, ``_``, ``-``, ``.``.
    """
    low, high = _window(picture.image)

    def show(image: npt.NDArray[np.float32]) -> str:
        return _uri(encode_image(((_fit(image) - low) / (high - low)).astype(np.float32)))

    height, width = picture.image.shape[-2:]
    return Card(
        anchor=anchor,
        name=picture.name,
        kind="" if picture.label is None else ("normal", "abnormal")[picture.label],
        score=picture.score,
        image=show(picture.image) if picture.source is None else _uri(encode_image(picture.source)),
        outline=None if picture.mask is None else _outline(picture.mask),
        reconstruction="" if picture.reconstruction is None else show(picture.reconstruction),
        anomaly_map=_uri(encode_heatmap(_fit(picture.anomaly_map[None])[0], map_range)),
        decision=picture.decision,
        p_value=picture.p_value,
        aspect=width / height if picture.aspect is None else picture.aspect,
        note=note,
        links=links,
    )


def _fit(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return pixels ``(C, H, W)`` as they are, or averaged where they are more than a page should hold."""
    height, width = pixels.shape[-2:]
    shrink = LONGEST_SIDE / max(height, width)
    if shrink >= 1:
        return pixels
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    return np.asarray(resize_image(torch.from_numpy(np.ascontiguousarray(pixels)), size))


def _window(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Values shown as black and white: 0 and 1, or the image's own where an intensity rule made others."""
    low, high = float(image.min()), float(image.max())
    return (0.0, 1.0) if (low >= 0 and high <= 1) or low == high else (low, high)


def _outline(mask: npt.NDArray[np.bool_]) -> Outline | None:
    """Return the edge of a mask ``(H, W)``, sharp at any size; None for an empty mask."""
    height, width = mask.shape
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    # find_contours counts from pixel centers of the padded array; SVG from the corner of the first pixel.
    path = "".join(f"M{'L'.join(f'{x - 0.5:.1f} {y - 0.5:.1f}' for y, x in contour)}Z" for contour in contours)
    return Outline(width, height, path) if path else None


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
