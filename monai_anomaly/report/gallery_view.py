# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The gallery as its template shows it: cards under headings, all maps on one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_anomaly.report.card import Card, MapScale, make_card, make_scale
from monai_anomaly.report.gallery import Gallery

__all__ = ["GalleryView", "gallery_map_range", "view_gallery"]


@dataclass(frozen=True)
class GalleryView:
    """The cards of a gallery under their headings, the scale of their maps, and the anchors of the refused images."""

    scale: MapScale
    is_scale_given: bool
    groups: list[tuple[str, list[Card]]]
    refused: list[str]

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
    anchors = {id(picture): f"image-{number}" for number, picture in enumerate(gallery.pictures, start=1)}
    groups = {
        "Most anomalous first": gallery.most_anomalous,
        "Abnormal, with the lowest scores": gallery.missed,
        "Normal, with the highest scores of the rest": gallery.false_alarms,
        "Refused by the input guard, of the rest": gallery.other_refused,
    }
    return GalleryView(
        make_scale(scale),
        is_scale_given=map_range is not None,
        groups=[
            (heading, [make_card(picture, scale, anchors[id(picture)]) for picture in pictures])
            for heading, pictures in groups.items()
            if pictures
        ],
        refused=[anchors[id(picture)] for picture in gallery.refused],
    )
