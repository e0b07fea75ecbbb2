# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation report: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from monai_anomaly.handlers.gallery import Gallery, Picture
from monai_anomaly.handlers.report_charts import histogram_svg, roc_svg
from monai_anomaly.utils.heatmap import PALETTE, encode_heatmap, encode_image

__all__ = ["gallery_map_range", "render_report"]

_STYLE = """
:root { color-scheme: light dark; --text: #1c1f23; --quiet: #5a6270; --page: #ffffff; --card: #f4f5f7; --line: #d4d8de;
  --normal: #1f6fb5; --abnormal: #c2410c; --mask: #00e5a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaed; --quiet: #a2abb8; --page: #14171b; --card: #1f242a;
  --line: #39414b; --normal: #6cb2f2; --abnormal: #ff9a62; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; } .quiet, figcaption { color: var(--quiet); }
.headline { display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; align-items: baseline; }
.headline strong { font-size: 3.25rem; line-height: 1; font-variant-numeric: tabular-nums; }
dl.counts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; } dl.counts div { min-width: 6rem; }
dt { color: var(--quiet); font-size: .875rem; } dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; max-width: 52rem; }
figure { margin: 0; } .chart { width: 100%; height: auto; fill: var(--quiet); font-size: 11px; }
.axis { fill: none; stroke: var(--quiet); } .grid { stroke: var(--line); stroke-width: .5; }
.curve { fill: none; stroke: var(--text); stroke-width: 2; } .chance { stroke: var(--quiet); stroke-dasharray: 4 4; }
path.normal { fill: var(--normal); fill-opacity: .35; stroke: var(--normal); stroke-width: 1.5; }
path.abnormal { fill: var(--abnormal); fill-opacity: .35; stroke: var(--abnormal); stroke-width: 1.5;
  stroke-dasharray: 5 2; }
b.normal { color: var(--normal); } b.abnormal { color: var(--abnormal); }
.bar { display: flex; gap: .6rem; align-items: center; margin: .75rem 0; font-variant-numeric: tabular-nums; }
.bar img { width: 16rem; max-width: 50vw; height: 1rem; border: 1px solid var(--line); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
.tiles { display: flex; gap: .3rem; } .tile { flex: 1 1 0; min-width: 0; max-width: 9rem; }
.tile div { position: relative; }
.tile img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
.tile svg { position: absolute; inset: 0; width: 100%; height: 100%; fill: none; stroke: var(--mask); stroke-width: 2; }
.tile small { color: var(--quiet); font-size: .75rem; }
.card > figcaption { margin-top: .4rem; font-size: .85rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--quiet); white-space: nowrap; } td { overflow-wrap: anywhere; }
"""


def render_report(
    *,
    title: str,
    metrics: Mapping[str, Any],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    gallery: Gallery,
    rejected: Sequence[Mapping[str, str]] = (),
    details: Mapping[str, Any] | None = None,
    map_range: tuple[float, float] | None = None,
) -> str:
    """The page as text.

    Args:
        title: heading of the page.
        metrics: what :func:`monai_anomaly.metrics.image_level.image_level_metrics` gave.
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: finite image scores, shape ``(N,)``.
        gallery: the images to show.
        rejected: ``image``, ``code`` and ``reason`` of each file that was not scored.
        details: what a reader must know of the run, as a table: versions, seed, checkpoint, ...
        map_range: map values of the first and the last color; None takes :func:`gallery_map_range`.
    """
    scale = map_range or gallery_map_range(gallery)
    sections = [_headline(title, metrics, len(rejected)), _charts(metrics, labels, scores)]
    if rejected:
        sections.append(_rejected(rejected))
    if gallery.pictures:
        sections.append(_gallery(gallery, scale, fixed=map_range is not None))
    if details:
        sections.append(_details(details))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # Even a file name that slipped through the escaping could not make the page load anything.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(sections)
        + "\n</main></body></html>\n"
    )


def gallery_map_range(gallery: Gallery) -> tuple[float, float]:
    """One scale for all maps of a gallery: from 0, or the lowest value below it, to their 99.5 percentile.

    Not to the maximum: a single bright position would darken everything else.
    """
    if not gallery.pictures:
        return 0.0, 1.0
    values = np.concatenate([picture.anomaly_map.ravel() for picture in gallery.pictures])
    low, high = min(0.0, float(values.min())), float(np.quantile(values, 0.995))
    return low, high if high > low else low + 1.0


def _headline(title: str, metrics: Mapping[str, Any], n_rejected: int) -> str:
    n_images = metrics["n_normal"] + metrics["n_abnormal"]
    interval = metrics["auroc_interval"]
    between = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else "no interval: too few patients"
    counts = {
        "Normal images": metrics["n_normal"],
        "Abnormal images": metrics["n_abnormal"],
        "Patients (groups)": metrics["n_groups"],
        "Average precision": f"{metrics['average_precision']:.3f}",
    } | ({"Files not scored": n_rejected} if n_rejected else {})
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in counts.items())
    alone = " No two images share a group, so that each counts as a patient." if metrics["n_groups"] == n_images else ""
    return (
        f"<h1>{escape(title)}</h1>\n"
        f'<div class="headline"><strong>{metrics["auroc"]:.3f}</strong><span>ROC AUC, {between}</span></div>\n'
        f'<dl class="counts">{cells}</dl>\n<p>{_meaning(metrics)}{alone}</p>'
    )


def _meaning(metrics: Mapping[str, Any]) -> str:
    """The headline number in plain words."""
    auroc, interval = metrics["auroc"], metrics["auroc_interval"]
    sentence = (
        "Take one abnormal and one normal image of this test set at random: in "
        f"{100 * auroc:.0f} of 100 such pairs the abnormal one has the higher score; 50 of 100 is guessing."
    )
    if interval:
        sentence += (
            f" With other patients of the same kind, {100 * interval[0]:.0f} to {100 * interval[1]:.0f} of 100 would "
            f"be no surprise (bootstrap over {metrics['n_groups']} groups)."
        )
        if interval[0] <= 0.5 <= interval[1]:
            sentence += " <b>The interval includes guessing.</b>"
    return sentence + (
        " The number says how well images are ranked. No threshold was chosen, so it is no rate of findings or misses, "
        "and it holds for images like these only."
    )


def _charts(metrics: Mapping[str, Any], labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> str:
    legend = (
        'Scores of <b class="normal">normal</b> (solid outline) and <b class="abnormal">abnormal</b> (dashed outline) '
        "images; higher means more anomalous."
    )
    return (
        '<h2>Scores</h2>\n<div class="charts">'
        f"<figure>{roc_svg(labels, scores, metrics['auroc'])}"
        "<figcaption>ROC curve. Dashed: guessing.</figcaption></figure>"
        f"<figure>{histogram_svg(labels, scores)}<figcaption>{legend}</figcaption></figure></div>"
    )


def _rejected(rejected: Sequence[Mapping[str, str]]) -> str:
    rows = [(item["image"], f"{item['code']}: {item['reason']}") for item in rejected]
    note = "<p>These files could not be read whole. They have no score and count in no number above.</p>"
    return f"<h2>Files not scored ({len(rows)})</h2>\n{note}\n{_table(rows)}"


def _details(details: Mapping[str, Any]) -> str:
    return f"<h2>Run</h2>\n{_table([(str(key), str(value)) for key, value in details.items()])}"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows)
    return f'<div class="scroll"><table>{body}</table></div>'


def _gallery(gallery: Gallery, scale: tuple[float, float], *, fixed: bool) -> str:
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
        f'<figcaption>{picture.score:#.4g} <b class="{kind}">{kind}</b> {name}</figcaption></figure>'
    )


def _tile(caption: str, uri: str, alt: str, over: str = "") -> str:
    return f'<div class="tile"><div><img src="{uri}" alt="{alt}">{over}</div><small>{caption}</small></div>'


def _window(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Values shown as black and white: 0 and 1, or the image's own where an intensity rule made others."""
    low, high = float(image.min()), float(image.max())
    return (0.0, 1.0) if (low >= 0 and high <= 1) or low == high else (low, high)


def _outline(mask: npt.NDArray[np.bool_]) -> str:
    """The edge of a mask ``(H, W)`` as SVG over the image, sharp at any size; empty for an empty mask."""
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
