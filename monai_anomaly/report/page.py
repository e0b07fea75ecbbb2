# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation report: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.report.charts import histogram_svg, roc_svg
from monai_anomaly.report.decisions import decisions_section, guard_section
from monai_anomaly.report.gallery import Gallery
from monai_anomaly.report.gallery_section import gallery_map_range, gallery_section
from monai_anomaly.report.parts import pixel_section, subgroups_section
from monai_anomaly.report.style import STYLE
from monai_anomaly.report.summary import summary_section
from monai_anomaly.report.tables import facts_table

__all__ = ["render_report"]


def render_report(
    *,
    title: str,
    numbers: Mapping[str, Any],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    gallery: Gallery,
    band: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    map_range: tuple[float, float] | None = None,
) -> str:
    """Return the page as text.

    Args:
        title: heading of the page.
        numbers: what :func:`monai_anomaly.report.evaluation_numbers.evaluation_numbers` gave.
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: finite image scores, shape ``(N,)``.
        gallery: the images to show.
        band: of the curve; see :func:`monai_anomaly.report.charts.roc_svg`.
        details: what a reader must know of the run, as a table: versions, seed, checkpoint, ...
        map_range: map values of the first and the last color; None takes :func:`gallery_map_range`.
    """
    scale = map_range or gallery_map_range(gallery)
    sections = [
        summary_section(title, numbers),
        _charts(numbers, labels, scores, band),
        decisions_section(numbers),
        guard_section(numbers),
        pixel_section(numbers["pixel_level"]),
        subgroups_section(numbers["subgroups"]),
    ]
    if gallery.pictures:
        sections.append(gallery_section(gallery, scale, fixed=map_range is not None))
    if numbers["rejected"]:
        sections.append(_rejected(numbers["rejected"]))
    if details:
        rows = [(str(key), str(value)) for key, value in details.items()]
        sections.append(f"<h2>Run</h2>\n{facts_table(rows)}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # Even a file name that slipped through the escaping could not make the page load anything.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(filter(None, sections))
        + "\n</main></body></html>\n"
    )


def _charts(
    numbers: Mapping[str, Any],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    band: Mapping[str, Any] | None,
) -> str:
    legend = (
        'Scores of <b class="normal">normal</b> (solid outline) and <b class="abnormal">abnormal</b> (dashed outline) '
        "images; higher means more anomalous."
    )
    marks = {
        f"{100 * float(name):g} %": point["threshold"]
        for name, point in numbers["operating_points"]["thresholds"].items()
        if point["threshold"] is not None
    }
    if marks:
        legend += " Dotted lines: thresholds calibrated on normals, by the false-alarm rate that they promise."
    shaded = "" if band is None or band["lower"] is None else " Shaded: 95 % interval, by a bootstrap over patients."
    return (
        '<h2>Scores</h2>\n<div class="charts">'
        f"<figure>{roc_svg(labels, scores, numbers['auroc'], band)}"
        f"<figcaption>ROC curve. Dashed: guessing.{shaded}</figcaption></figure>"
        f"<figure>{histogram_svg(labels, scores, marks)}<figcaption>{legend}</figcaption></figure></div>"
    )


def _rejected(rejected: Sequence[Mapping[str, str]]) -> str:
    rows = [(item["image"], f"{item['code']}: {item['reason']}") for item in rejected]
    note = "<p>These files could not be read whole. They have no score and count in no number above.</p>"
    return f"<h2>Files not scored ({len(rows)})</h2>\n{note}\n{facts_table(rows)}"
