# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The gallery as its template shows it: pictures as data URIs, outlines as paths, all maps on one scale."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from monai_anomaly.report.gallery import Gallery, Picture
from monai_anomaly.utils.heatmap import PALETTE, encode_heatmap, encode_image

__all__ = ["Card", "GalleryView", "Outline", "gallery_map_range", "view_gallery"]


@dataclass(frozen=True)
class Outline:
    """The edge of a mask as an SVG path, in pixels of the image."""

    width: int
    height: int
    path: str


@dataclass(frozen=True)
class Card:
    """One image of the gallery.

    ``image``, ``reconstruction`` (empty where the method has none) and ``anomaly_map`` are data URIs, ``kind`` is
    ``"normal"`` or ``"abnormal"``; ``decision`` and ``p_value`` as in
    :class:`monai_anomaly.report.gallery.Picture`.
    """

    name: str
    kind: str
    score: float
    image: str
    outline: Outline | None
    reconstruction: str
    anomaly_map: str
    decision: str
    p_value: float | None

    @property
    def is_right(self) -> bool:
        """Whether the decision is that of the label."""
        return self.decision == {"normal": "normal", "abnormal": "anomalous"}[self.kind]


@dataclass(frozen=True)
class GalleryView:
    """The cards of a gallery under their headings, and the scale of their maps from ``low`` to ``high``."""

    low: float
    high: float
    is_scale_given: bool
    color_bar: str
    groups: list[tuple[str, list[Card]]]

    @property
    def has_outlines(self) -> bool:
        """Whether a card shows an annotated lesion."""
        return any(card.outline for _, cards in self.groups for card in cards)


def gallery_map_range(gallery: Gallery) -> tuple[float, float]:
    """One scale for all maps of a gallery: from 0, or the lowest value below it, to their 99.5 percentile.

    Not to the maximum: a single bright position would darken everything else.
    """
    if not gallery.pictures:
        return 0.0, 1.0
    values = np.concatenate([picture.anomaly_map.ravel() for picture in gallery.pictures])
    low, high = min(0.0, float(values.min())), float(np.quantile(values, 0.995))
    return low, high if high > low else low + 1.0


def view_gallery(gallery: Gallery, map_range: tuple[float, float] | None = None) -> GalleryView:
    """Return what the template shows of a gallery.

    Args:
        gallery: the images.
        map_range: map values of the first and the last color; None takes :func:`gallery_map_range`.
    """
    scale = map_range or gallery_map_range(gallery)
    groups = {
        "Most anomalous first": gallery.most_anomalous,
        "Abnormal, with the lowest scores": gallery.missed,
        "Normal, with the highest scores of the rest": gallery.false_alarms,
    }
    color_bar = encode_image(np.moveaxis(PALETTE[None] / np.float32(255), -1, 0))
    return GalleryView(
        *scale,
        is_scale_given=map_range is not None,
        color_bar=_uri(color_bar),
        groups=[
            (heading, [_card(picture, scale) for picture in pictures])
            for heading, pictures in groups.items()
            if pictures
        ],
    )


def _card(picture: Picture, scale: tuple[float, float]) -> Card:
    low, high = _window(picture.image)

    def show(image: npt.NDArray[np.float32]) -> str:
        return _uri(encode_image(((image - low) / (high - low)).astype(np.float32)))

    return Card(
        name=picture.name,
        kind=("normal", "abnormal")[picture.label],
        score=picture.score,
        image=show(picture.image),
        outline=None if picture.mask is None else _outline(picture.mask),
        reconstruction="" if picture.reconstruction is None else show(picture.reconstruction),
        anomaly_map=_uri(encode_heatmap(picture.anomaly_map, scale)),
        decision=picture.decision,
        p_value=picture.p_value,
    )


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
