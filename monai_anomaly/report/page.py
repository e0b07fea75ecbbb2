# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation report: one HTML file that needs nothing else, neither network nor script.

The numbers come as :func:`~monai_anomaly.report.evaluation_numbers.evaluation_numbers` gives them; here they get what
must be computed for the page, charts and pictures; ``templates/page.html.jinja`` says how all of it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from monai_anomaly.report.charts import histogram_chart, roc_chart
from monai_anomaly.report.gallery import MOST_REFUSED, Gallery
from monai_anomaly.report.gallery_view import GalleryView, view_gallery
from monai_anomaly.report.page_head import PageHead
from monai_anomaly.report.rendering import render
from monai_anomaly.report.score_bins import ScoreBins, bin_scores

__all__ = ["render_report"]


@dataclass(frozen=True)
class _Charts:
    """Both charts, and what the captions must speak of: the band, thresholds, the point, scores beyond the axis."""

    roc: Markup
    histogram: Markup
    has_band: bool
    has_thresholds: bool
    point: tuple[float, float] | None
    bins: ScoreBins


@dataclass(frozen=True)
class _Refused:
    """Names of the first refused images, reasons and anchors of their cards, and how many more there are."""

    shown: list[tuple[str, str, str]]
    n_more: int


def render_report(
    *,
    head: PageHead,
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
        head: title, and what the page is of.
        numbers: what :func:`monai_anomaly.report.evaluation_numbers.evaluation_numbers` gave, and of the run
            ``rejected`` (``image``, ``code``, ``reason`` of each file without a score) ``n_trained_on``, the number of
            training images among these or None, and ``unfinished``, what of the training a time budget cut short.
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: finite image scores, shape ``(N,)``.
        gallery: the images to show.
        band: of the curve; see :func:`monai_anomaly.report.charts.roc_chart`.
        details: what a reader must know of the run, as a table: versions, seed, checkpoint, ...
        map_range: map values of the first and the last color; None takes
            :func:`~monai_anomaly.report.gallery_view.gallery_map_range`.
    """
    view = view_gallery(gallery, map_range) if gallery.pictures else None
    return render(
        "page.html.jinja",
        head=head,
        numbers=numbers,
        charts=_view_charts(numbers, labels, scores, band),
        refused=_view_refused(numbers["guard"], view),
        gallery=view,
        rejected=[(file["image"], f"{file['code']}: {file['reason']}") for file in numbers["rejected"]],
        details=list((details or {}).items()),
    )


def _view_charts(
    numbers: Mapping[str, Any],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    band: Mapping[str, Any] | None,
) -> _Charts:
    thresholds = {
        f"{100 * float(rate):g} %": point["threshold"]
        for rate, point in numbers["operating_points"]["thresholds"].items()
        if point["threshold"] is not None
    }
    point = _chosen_point(numbers)
    bins = bin_scores(labels, scores, thresholds.values())
    return _Charts(
        roc=roc_chart(labels, scores, numbers["auroc"], band, point),
        histogram=histogram_chart(bins, thresholds),
        has_band=band is not None and band["lower"] is not None,
        has_thresholds=bool(thresholds),
        point=point,
        bins=bins,
    )


def _chosen_point(numbers: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the false-alarm rate and the sensitivity at the threshold in use; None where there is none."""
    chosen = numbers["operating_points"]["thresholds"].get(f"{numbers['false_alarm_rate']:g}")
    if chosen is None or chosen["threshold"] is None:
        return None
    return chosen["false_alarm_rate"]["value"], chosen["sensitivity"]["value"]


def _view_refused(guard: Mapping[str, Any] | None, gallery: GalleryView | None) -> _Refused:
    images: Sequence[Mapping[str, Any]] = [] if guard is None else guard["refused"]
    anchors = [*([] if gallery is None else gallery.refused), *[""] * MOST_REFUSED]
    shown = [
        (f"{image['image']} ({('normal', 'abnormal')[image['label']]})", image["reason"], anchor)
        for image, anchor in zip(images, anchors[:MOST_REFUSED], strict=False)
    ]
    return _Refused(shown, len(images) - len(shown))
