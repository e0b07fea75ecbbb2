# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The gallery of a report: inputs, reconstructions and maps, all on one scale."""

from __future__ import annotations

import base64
from html import escape

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from monai_anomaly.report.gallery import Gallery, Picture
from monai_anomaly.utils.heatmap import PALETTE, encode_heatmap, encode_image

__all__ = ["gallery_map_range", "gallery_section"]


def gallery_map_range(gallery: Gallery) -> tuple[float, float]:
    """One scale for all maps of a gallery: from 0, or the lowest value below it, to their 99.5 percentile.

    Not to the maximum: a single bright position would darken everything else.
    """
    if not gallery.pictures:
        return 0.0, 1.0
    values = np.concatenate([picture.anomaly_map.ravel() for picture in gallery.pictures])
    low, high = min(0.0, float(values.min())), float(np.quantile(values, 0.995))
    return low, high if high > low else low + 1.0


def gallery_section(gallery: Gallery, scale: tuple[float, float], *, fixed: bool) -> str:
    """Return the images of a gallery as cards: input with annotated lesion, reconstruction, map, score, decision.

    Args:
        gallery: the images to show.
        scale: map values of the first and the last color.
        fixed: the scale was given, not chosen for these images.
    """
    how = "" if fixed else " The scale ends at the 99.5 percentile of the maps shown; higher values get the last color."
    parts = [
        "<h2>Images</h2>",
        f"<p>Input, reconstruction where the method makes one, and anomaly map. All maps share one scale.{how}</p>",
        f'<div class="bar"><span>{scale[0]:.3g}</span><img src="{_uri(_color_bar())}" '
        f'alt="Color bar of the anomaly maps from {scale[0]:.3g}, dark, to {scale[1]:.3g}, bright">'
        f"<span>{scale[1]:.3g}</span></div>",
    ]
    if any(picture.mask is not None and picture.mask.any() for picture in gallery.pictures):
        parts.append('<p class="quiet">Green line: outline of the annotated lesion.</p>')
    for heading, pictures in (
        ("Most anomalous first", gallery.most_anomalous),
        ("Abnormal, with the lowest scores", gallery.missed),
        ("Normal, with the highest scores of the rest", gallery.false_alarms),
    ):
        if pictures:
            cards = "\n".join(_card(picture, scale) for picture in pictures)
            parts.append(f'<h3>{heading}</h3>\n<div class="gallery">\n{cards}\n</div>')
    return "\n".join(parts)


def _card(picture: Picture, scale: tuple[float, float]) -> str:
    name, kind = escape(picture.name), ("normal", "abnormal")[picture.label]
    low, high = _window(picture.image)

    def show(image: npt.NDArray[np.float32]) -> str:
        return _uri(encode_image(((image - low) / (high - low)).astype(np.float32)))

    outline = "" if picture.mask is None else _outline(picture.mask)
    marked = ", annotated lesion outlined" if outline else ""
    tiles = _tile("input", show(picture.image), f"Input image {name}, {kind}{marked}", outline)
    if picture.reconstruction is not None:
        tiles += _tile("reconstruction", show(picture.reconstruction), f"Reconstruction of {name}")
    tiles += _tile("map", _uri(encode_heatmap(picture.anomaly_map, scale)), f"Anomaly map of {name}")
    return (
        f'<figure class="card"><div class="tiles">{tiles}</div>'
        f'<figcaption>{picture.score:#.4g} <b class="{kind}">{kind}</b> {name}{_decision(picture)}</figcaption>'
        "</figure>"
    )


def _decision(picture: Picture) -> str:
    """Return what was decided, with a sign that needs no color: right, wrong, or no decision."""
    if picture.decision in ("", "uncalibrated"):
        return ""
    if picture.decision == "not_applicable":
        return "<br>No decision: the input guard refuses this image."
    right = picture.decision == ("normal", "anomalous")[picture.label]
    sign = "&#10003;" if right else "&#10007;"
    p_value = "" if picture.p_value is None else f", p = {picture.p_value:.2g}"
    return f"<br>{sign} decided <b>{escape(picture.decision)}</b>{p_value}"


def _tile(caption: str, uri: str, alt: str, over: str = "") -> str:
    return f'<div class="tile"><div><img src="{uri}" alt="{alt}">{over}</div><small>{caption}</small></div>'


def _window(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Values shown as black and white: 0 and 1, or the image's own where an intensity rule made others."""
    low, high = float(image.min()), float(image.max())
    return (0.0, 1.0) if (low >= 0 and high <= 1) or low == high else (low, high)


def _outline(mask: npt.NDArray[np.bool_]) -> str:
    """Return the edge of a mask ``(H, W)`` as SVG over the image, sharp at any size; empty for an empty mask."""
    height, width = mask.shape
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    # find_contours counts from pixel centers of the padded array; SVG from the corner of the first pixel.
    path = "".join(f"M{'L'.join(f'{x - 0.5:.1f} {y - 0.5:.1f}' for y, x in contour)}Z" for contour in contours)
    if not path:
        return ""
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path vector-effect="non-scaling-stroke" d="{path}"/></svg>'
    )


def _color_bar() -> bytes:
    return encode_image(np.moveaxis(PALETTE[None] / np.float32(255), -1, 0))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
